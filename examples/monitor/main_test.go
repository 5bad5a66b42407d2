package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
)

// TestMonitor runs the program and asks for what a browser and Prometheus ask for.
func TestMonitor(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	cmd := cli.Bare("monitor", "", "")
	said, say := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- cmd.Run(ctx, nil, io.Discard, say, func(ctx context.Context) error { return run(ctx, cmd, "127.0.0.1:0") })
		_ = say.Close()
	}()
	line := make([]byte, 200)
	n, err := said.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, said) }()
	address := regexp.MustCompile(`http://\S+`).FindString(string(line[:n]))

	for path, want := range map[string]string{"/": `<html lang="en">`, "/metrics": "sessiontimer_dialogs{", "/calls.json": "sip:anna@", "/nodes.json": `"annex"`} {
		if text := await(ctx, t, address+path, want); text == "" {
			t.Errorf("%s of %s never had %q", path, address, want)
		}
	}
	stop()
	if s := <-status; s != 0 {
		t.Errorf("ended with status %d, want 0", s)
	}
}

// await asks until the answer has what is wanted.
func await(ctx context.Context, t *testing.T, url, want string) string {
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if strings.Contains(string(text), want) {
			return string(text)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return ""
}
