// Package webrtc tests timers on diago's WebRTC dialogs, which diago has since
// v0.42, with real ICE and DTLS on loopback.
package webrtc
