// mqtt.js with its defaults: what it published comes back to it.
const fs = require('fs');
const mqtt = require('mqtt');
const [ca, cert, key, port, name] = process.argv.slice(2);
const client = mqtt.connect({
  protocol: 'mqtts', host: 'localhost', port: Number(port), clientId: name,
  ca: fs.readFileSync(ca), cert: fs.readFileSync(cert), key: fs.readFileSync(key),
});
const topic = `own/${name}`;
const failed = (error) => { console.error(error); process.exit(1); };
client.on('error', failed);
client.on('connect', () => client.subscribe(topic, { qos: 1 }, (refused) => {
  if (refused) failed(refused);
  client.publish(topic, JSON.stringify({ from: name }), { qos: 1 }, (e) => e && failed(e));
}));
client.on('message', (_, payload) => {
  console.log(payload.toString());
  client.end(false, {}, () => process.exit(0));
});
