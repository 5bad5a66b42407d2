// Package browsertest has the tests of timerpage in a browser. They need Chromium.
package browsertest
