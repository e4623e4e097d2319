// Server-sent events with the browser's own reconnect; what is older than 3 s is called stale.

const STALE_MS = 3000;

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
      setTimeout(() => follow({ onHello, onState, onLink }), 2000);
    }
  };
  setInterval(() => {
    if (last && Date.now() - last > STALE_MS) onLink(lost ? "lost" : "stale", last);
  }, 1000);
}
