package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/examples/internal/cli"
	"github.com/sipgo-contrib/sessiontimer/examples/internal/phone"
)

// parseTarget reads -to. The URI names the transport unless that is UDP.
func parseTarget(to, transport string) (sip.Uri, error) {
	var uri sip.Uri
	if err := sip.ParseUri(to, &uri); err != nil || uri.Scheme != "sip" || uri.Host == "" {
		return uri, cli.Misuse("-to %q: want a SIP URI such as sip:bob@127.0.0.1:5060", to)
	}
	asked := strings.ToLower(uri.UriParams.GetOr("transport", ""))
	if asked != "" && asked != transport {
		return uri, cli.Misuse("-to asks for %s; give -transport %s too", asked, asked)
	}
	if asked == "" && transport != "udp" {
		uri.UriParams = append(uri.UriParams, sip.HeaderKV{K: "transport", V: transport})
	}
	return uri, nil
}

// reachable returns a clear error for a target on another machine that is called from a
// loopback address, which the system refuses with an obscure one.
func reachable(ctx context.Context, socket *phone.Socket, target sip.Uri) error {
	host, _, err := net.SplitHostPort(socket.Addr)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return err
	}
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, strings.Trim(target.Host, "[]"))
	if err != nil {
		return fmt.Errorf("cannot call %s: %s", target.String(), phone.Why(err))
	}
	for _, ip := range ips {
		if ip.IP.IsLoopback() {
			return nil
		}
	}
	return fmt.Errorf("cannot call %s from %s, which reaches this machine only; use -listen 0.0.0.0:0", target.String(), host)
}

// userName returns the user part of our own address.
func userName(cmd *cli.Command) string { return cmp.Or(cmd.User, "uac") }
