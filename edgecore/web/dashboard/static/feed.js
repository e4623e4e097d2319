import { whoAmI } from "./person.js";

// Server-sent events with the browser's own reconnect. Two a second come from a core that lives;
// three missing ones are called stale, so that no page looks alive over a dead core for two seconds.

const STALE_MS = 1500;
const LOOK_MS = 250;

export function follow({ onHello, onState, onLink }) {
  let last = 0;
  let lost = false;
  const source = new EventSource("/api/stream");
  source.addEventListener("hello", (event) => onHello(JSON.parse(event.data)));
  source.addEventListener("state", (event) => {
    last = Date.now();
    lost = false;
    onState(JSON.parse(event.data));
    onLink("live", 0);
  });
  source.onerror = () => {
    lost = true;
    onLink("lost", last);
    // A refused stream (503, a proxy's page) is not retried by the browser: start again.
    if (source.readyState === EventSource.CLOSED) {
      clearInterval(watch);
      whoAmI().catch(() => {}); // signed out meanwhile: to the log-in
      setTimeout(() => follow({ onHello, onState, onLink }), 2000);
    }
  };
  const watch = setInterval(() => {
    if (last && Date.now() - last > STALE_MS) onLink(lost ? "lost" : "stale", last);
  }, LOOK_MS);
}
