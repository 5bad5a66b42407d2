// A phone on JsSIP, the stack of browsers, without a browser.
//
//   node peer.js --port N [--ws URL] [--interval S] [--method UPDATE|INVITE] [--force]
//
// It answers every call. Commands on standard input, one a line: "call URI" and
// "bye". Messages and events go to standard error. SIP travels over a UDP socket
// of its own, or a WebSocket to a server; WebRTC is a stand-in without media.
'use strict';

const dgram = require('dgram');
const readline = require('readline');

const flags = { port: 0, ws: '', interval: 90, method: 'UPDATE', force: false };
const args = process.argv.slice(2);
while (args.length > 0) {
  const name = args.shift().replace(/^--/, '');
  flags[name] = name === 'force' ? true : args.shift();
}
const port = Number(flags.port);
const host = '127.0.0.1';
const user = 'peer';

function say(text) {
  process.stderr.write(`${new Date().toISOString()} ${text.replace(/\r/g, '')}\n`);
}

// FakePeerConnection describes PCMU that nobody sends.
class FakePeerConnection {
  constructor() {
    this.iceConnectionState = 'connected';
    this.iceGatheringState = 'complete';
    this.connectionState = 'connected';
    this.signalingState = 'stable';
    this.localDescription = null;
    this.version = 0;
  }
  addEventListener() {}
  removeEventListener() {}
  addTrack() {}
  getSenders() { return []; }
  getReceivers() { return []; }
  getTransceivers() { return []; }
  getStats() { return Promise.resolve([]); }
  close() { this.signalingState = 'closed'; }
  describe(type) {
    this.version += 1;
    const lines = ['v=0', `o=- 4242 ${this.version} IN IP4 ${host}`, 's=-', `c=IN IP4 ${host}`, 't=0 0',
      'm=audio 9 RTP/AVP 0', 'a=rtpmap:0 PCMU/8000', 'a=sendrecv', ''];
    return Promise.resolve({ type, sdp: lines.join('\r\n') });
  }
  createOffer() { return this.describe('offer'); }
  createAnswer() { return this.describe('answer'); }
  setLocalDescription(d) {
    this.localDescription = d;
    this.signalingState = d.type === 'offer' ? 'have-local-offer' : 'stable';
    return Promise.resolve();
  }
  setRemoteDescription(d) {
    this.signalingState = d.type === 'offer' ? 'have-remote-offer' : 'stable';
    return Promise.resolve();
  }
}

const stream = { getTracks: () => [], getAudioTracks: () => [], getVideoTracks: () => [] };
global.window = global;
global.RTCPeerConnection = FakePeerConnection;
global.RTCSessionDescription = class { constructor(d) { Object.assign(this, d); } };
Object.defineProperty(global, 'navigator', {
  value: { mediaDevices: { getUserMedia: () => Promise.resolve(stream) } }, configurable: true, writable: true,
});

const JsSIP = require('jssip');

// UdpSocket is a Socket as JsSIP wants it. JsSIP names its own address nowhere in
// a Via, since browsers do not know it; over UDP it has to.
class UdpSocket {
  constructor() {
    this.via_transport = 'UDP';
    this.url = `udp://${host}:${port}`;
    this.sip_uri = `sip:${host}:${port}`;
    this.next = null;
  }
  connect() {
    this.socket = dgram.createSocket('udp4');
    this.socket.on('message', (data, from) => {
      this.next = from;
      const text = data.toString();
      if (text.trim() === '') return;
      say(`received\n${text}`);
      this.ondata(text);
    });
    this.socket.bind(port, host, () => this.onconnect());
  }
  disconnect() { this.socket.close(); }
  send(text) {
    const out = text.replace(/^(Via: SIP\/2\.0\/UDP )[^;]+;/m, (whole, head) => (
      /^SIP\/2\.0/.test(text) ? whole : `${head}${host}:${port};rport;`));
    say(`sent\n${out}`);
    this.socket.send(Buffer.from(out), this.next.port, this.next.address);
    return true;
  }
}

function webSocket(url) {
  const WebSocket = require('jssip-node-websocket');
  const socket = new WebSocket(url);
  const send = socket.send.bind(socket);
  let receive = null;
  socket.send = (text) => { say(`sent\n${text}`); return send(text); };
  Object.defineProperty(socket, 'ondata', {
    get: () => (data) => { say(`received\n${data}`); receive(data); },
    set: (f) => { receive = f; },
  });
  return socket;
}

const socket = flags.ws ? webSocket(flags.ws) : new UdpSocket();
const configuration = {
  sockets: [socket],
  uri: `sip:${user}@${host}`,
  register: false,
  session_timers: true,
  session_timers_refresh_method: flags.method,
  session_timers_force_refresher: flags.force,
};
if (!flags.ws) configuration.contact_uri = `sip:${user}@${host}:${port}`;

const ua = new JsSIP.UA(configuration);
const options = {
  mediaStream: stream,
  mediaConstraints: { audio: true, video: false },
  pcConfig: { iceServers: [] },
  sessionTimersExpires: Number(flags.interval),
};
let current = null;

ua.on('connected', () => say('ready'));
ua.on('newRTCSession', ({ session, originator }) => {
  current = session;
  for (const name of ['accepted', 'confirmed', 'ended', 'failed', 'update', 'reinvite']) {
    session.on(name, (d) => say(`event ${name} ${(d && d.cause) || ''}`));
  }
  if (originator === 'remote') session.answer(options);
});

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, uri] = line.split(' ');
  if (command === 'call') {
    if (!flags.ws) {
      const [, address, number] = /@([^:;]+):(\d+)/.exec(uri);
      socket.next = { address, port: Number(number) };
    }
    ua.call(uri, options);
  }
  if (command === 'bye' && current) current.terminate();
});

process.on('uncaughtException', (e) => say(`exception ${e.stack}`));
process.on('unhandledRejection', (e) => say(`rejection ${(e && e.stack) || e}`));
ua.start();
