package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// A Client asks a name server over UDP from a process of its own, with so many questions on the way at the same time that the server always has
// one to answer.
type Client struct{}

// Load says what is asked.
type Load struct {
	Address string
	Names   []string
	Sockets int
	Ahead   int // questions that each socket has on the way
	Time    time.Duration
}

// Loaded is what came of it.
type Loaded struct {
	Answered int
	Lost     int // of which nothing was heard
}

// Ask asks for addresses.
func (c *Client) Ask(l Load, reply *Loaded) error {
	questions := make([][]byte, len(l.Names))
	for i, name := range l.Names {
		wire, err := new(dns.Msg).SetQuestion(name, dns.TypeA).Pack()
		if err != nil {
			return fmt.Errorf("ask for %s: %w", name, err)
		}
		questions[i] = wire
	}
	end := time.Now().Add(l.Time)
	var wg sync.WaitGroup
	sockets := make([]socket, l.Sockets)
	for i := range sockets {
		sockets[i] = socket{questions: questions, next: i * len(questions) / l.Sockets}
		wg.Go(func() { sockets[i].failed = sockets[i].ask(l, end) })
	}
	wg.Wait()
	var errs []error
	for _, s := range sockets {
		reply.Answered += s.answered
		reply.Lost += s.lost
		errs = append(errs, s.failed)
	}
	return errors.Join(errs...)
}

// A socket asks one question after the other; its goroutine owns it.
type socket struct {
	questions      [][]byte
	next           int
	answered, lost int
	failed         error
}

func (s *socket) ask(l Load, end time.Time) error {
	const patience = 200 * time.Millisecond
	conn, err := net.Dial("udp", l.Address) //nolint:noctx // local
	if err != nil {
		return fmt.Errorf("ask %s: %w", l.Address, err)
	}
	defer func() { _ = conn.Close() }() // nothing waits in it
	var question [dns.MinMsgSize]byte
	reply := make([]byte, dns.MaxMsgSize)
	ahead, silent := 0, time.Now().Add(patience)
	if err := conn.SetReadDeadline(silent); err != nil {
		return err
	}
	for id := uint16(0); ; {
		for ahead < l.Ahead {
			n := copy(question[:], s.questions[s.next%len(s.questions)])
			s.next++
			id++
			binary.BigEndian.PutUint16(question[:], id)
			if _, err := conn.Write(question[:n]); err != nil {
				return fmt.Errorf("ask %s: %w", l.Address, err)
			}
			ahead++
		}
		n, err := conn.Read(reply)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			if now := time.Now(); now.After(silent.Add(-patience/100)) || now.After(end) {
				s.lost += ahead // asked again
				ahead = 0
			}
		} else if err != nil {
			return fmt.Errorf("ask %s: %w", l.Address, err)
		} else if err := good(reply[:n]); err != nil {
			return err
		} else {
			ahead--
			s.answered++
		}
		if s.answered%256 == 0 || err != nil {
			now := time.Now()
			if now.After(end) {
				return nil
			}
			silent = now.Add(patience)
			if err := conn.SetReadDeadline(silent); err != nil {
				return err
			}
		}
	}
}

// good says whether a reply has exactly one address: its header tells.
func good(reply []byte) error {
	const header = 12
	if len(reply) < header {
		return errors.New("a reply without a header came")
	}
	rcode, answers := int(reply[3]&0xf), binary.BigEndian.Uint16(reply[6:])
	if rcode != dns.RcodeSuccess || answers != 1 {
		return fmt.Errorf("a question was answered with %s and %d records instead of one address", dns.RcodeToString[rcode], answers)
	}
	return nil
}
