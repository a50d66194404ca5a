// npm honeyhive@1.0.42: starts the session on standard input, reads it back, traces a small tree.
const { HoneyHiveTracer } = require("honeyhive");
const { HoneyHiveCore } = require("honeyhive/core.js");
const { sessionStartSession } = require("honeyhive/funcs/sessionStartSession.js");
const { sessionGetSession } = require("honeyhive/funcs/sessionGetSession.js");

const serverURL = process.argv[2];

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
const renamed = (object, rename) =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [rename(name), value]));
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

async function main(session) {
  const core = new HoneyHiveCore({ bearerAuth: "t", serverURL });
  const started = await sessionStartSession(core, { session: renamed(session, camel) });
  if (!started.ok) throw started.error;
  const found = await sessionGetSession(core, started.value.sessionId);
  if (!found.ok) throw found.error;

  const tracer = await HoneyHiveTracer.init({
    apiKey: "t",
    project: "interop",
    sessionName: "traced",
    source: "test",
    serverUrl: serverURL,
  });
  const generate = tracer.traceModel(
    function generate(prompt, options) {
      return { role: "assistant", content: prompt.toUpperCase() };
    },
    { eventName: "generate" },
  );
  const fail = tracer.traceTool(
    function fail(reason) {
      throw new Error(reason);
    },
    { eventName: "fail" },
  );
  const answer = tracer.traceChain(
    async function answer(question) {
      try {
        await fail("no luck");
      } catch {}
      return (await generate(question, { temperature: 0, stop: ["a", "b"] })).content;
    },
    { eventName: "answer" },
  );
  await tracer.trace(() => answer("why?"));
  await tracer.enrichSession({ metrics: { score: 1 } });
  await tracer.flush();
  const event = renamed(found.value, snake);
  console.log(JSON.stringify({ event, traced: tracer.sessionId }));
  process.exit(0);
}

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", () => main(JSON.parse(text)));
