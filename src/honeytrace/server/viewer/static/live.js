// Following what arrives: server-sent events, while the page is seen.

const PATIENCE = 10_000; // milliseconds until a stream that was refused is tried again

/** Opens the stream at `path`. Only while the page is in sight: a browser has six connections to a
 * server, which all its tabs share. `told` gets what is told; `flooded` is called when it was
 * too much to be told. */
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
      // refused for good (too many streams, logged out); what was merely cut comes back by itself
      if (stream.readyState === EventSource.CLOSED) setTimeout(() => document.hidden || open(), PATIENCE);
    });
  };
  document.addEventListener("visibilitychange", () => {
    stream?.close();
    if (!document.hidden) open();
  });
  if (!document.hidden) open();
}
