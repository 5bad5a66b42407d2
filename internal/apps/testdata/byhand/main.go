// An application without sipgo's dialogs: it builds each request of its call by
// hand, counts CSeq for itself, and sends with TransactionRequest and WriteRequest.
// Its argument is whom it calls; a line on standard input has it send that request.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"time"

	"github.com/emiago/sipgo"
	"github.com/emiago/sipgo/sip"

	"github.com/sipgo-contrib/sessiontimer/middleware"
)

type call struct {
	client  *sipgo.Client
	contact sip.ContactHeader
	callID  sip.CallIDHeader
	from    sip.FromHeader
	to      sip.ToHeader
	target  sip.Uri
	cseq    uint32
}

func main() {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	check(err)
	ua, err := sipgo.NewUA()
	check(err)
	server, err := sipgo.NewServer(ua)
	check(err)
	client, err := sipgo.NewClient(ua, sipgo.WithClientAddr(conn.LocalAddr().String()))
	check(err)
	timers, err := middleware.New(ua, middleware.WithUnsafeIntervals(), middleware.WithSessionExpires(6*time.Second))
	check(err)
	srv, err := timers.Attach(server, client)
	check(err)
	srv.OnBye(func(req *sip.Request, tx sip.ServerTransaction) {
		_ = tx.Respond(sip.NewResponseFromRequest(req, sip.StatusOK, "OK", nil))
		fmt.Println("over")
	})
	go func() { log.Fatal(srv.ServeUDP(conn)) }()

	us := sip.Uri{Scheme: "sip", User: "app", Host: "127.0.0.1", Port: conn.LocalAddr().(*net.UDPAddr).Port}
	c := &call{client: client, contact: sip.ContactHeader{Address: us}, callID: "by-hand", from: sip.FromHeader{Address: us}}
	c.from.Params.Add("tag", "ours")
	check(sip.ParseUri("sip:peer@"+os.Args[1], &c.target))
	c.to.Address = c.target

	invite := c.request(sip.INVITE, []byte(sdp))
	invite.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	res := c.do(invite)
	if !res.IsSuccess() {
		log.Fatal(res.StartLine())
	}
	c.to, c.target = *res.To(), res.Contact().Address
	ack := c.request(sip.ACK, nil)
	check(client.WriteRequest(ack))

	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		method := sip.RequestMethod(lines.Text())
		fmt.Println(method, c.do(c.request(method, nil)).StatusCode)
	}
}

// request is the next one of the call; an ACK has the number of its INVITE.
func (c *call) request(method sip.RequestMethod, body []byte) *sip.Request {
	if method != sip.ACK {
		c.cseq++
	}
	req := sip.NewRequest(method, c.target)
	for _, h := range []sip.Header{&c.from, &c.to, &c.callID, &sip.CSeqHeader{SeqNo: c.cseq, MethodName: method}, &c.contact} {
		req.AppendHeader(sip.HeaderClone(h))
	}
	req.SetBody(body)
	return req
}

func (c *call) do(req *sip.Request) *sip.Response {
	tx, err := c.client.TransactionRequest(context.Background(), req)
	check(err)
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res
			}
		case <-tx.Done():
			log.Fatal(tx.Err())
		}
	}
}

const sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
