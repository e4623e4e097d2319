// aws-iot-device-sdk: a message to itself, then its shadow as its thingShadow class keeps it.
const awsIot = require('aws-iot-device-sdk');
const [caPath, certPath, keyPath, port, clientId] = process.argv.slice(2);
const things = awsIot.thingShadow({
  caPath, certPath, keyPath, clientId, host: 'localhost', port: Number(port),
}, { operationTimeout: 60000 });
const topic = `own/${clientId}`;
things.on('error', (error) => { console.error(error); process.exit(1); });
things.on('timeout', () => { console.error('a shadow call timed out'); process.exit(1); });
things.on('connect', () => things.register(clientId, {}, () => {
  things.update(clientId, { state: { reported: { n: 1 } } });
}));
things.on('status', (name, verdict, token, answer) => {
  if (verdict !== 'accepted') { console.error(verdict, answer); process.exit(1); }
  things.subscribe(topic, { qos: 1 }, () => {
    things.publish(topic, JSON.stringify({ from: clientId }), { qos: 1 });
  });
});
things.on('message', (_, payload) => {
  console.log(payload.toString());
  process.exit(0);
});
