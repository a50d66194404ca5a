// Following new sessions by server-sent events while the page is visible.

const PATIENCE = 10_000; // milliseconds until a stream that was refused is tried again

/** Opens the stream at `path` while the page is visible: all tabs of a browser share six connections
 * to a server. `told` receives the events; `flooded` is called when there are too many. */
export function follow(path, { told, flooded }) {
  let stream, reached = "";
  const note = (event) => { reached = event.lastEventId; };
  const open = () => {
    const address = new URL(path, location.origin);
    if (reached) address.searchParams.set("after", reached);
    stream = new EventSource(address);
    stream.addEventListener("open", () => { document.body.dataset.live = "on"; });
    stream.addEventListener("place", note);
    stream.addEventListener("message", (event) => {
      note(event);
      told(JSON.parse(event.data));
    });
    stream.addEventListener("gap", (event) => {
      note(event);
      flooded();
    });
    stream.addEventListener("error", () => {
      document.body.dataset.live = "off";
      // The stream was refused (too many streams, logged out). A broken stream reconnects by itself.
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => document.hidden || open(), PATIENCE);
    });
  };
  document.addEventListener("visibilitychange", () => {
    stream?.close();
    if (!document.hidden) open();
  });
  if (!document.hidden) open();
}
