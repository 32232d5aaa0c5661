package proxy

import (
	"context"
	"net"
	"net/http"
	"time"
)

// Impatient returns the configuration with a shorter time after which a silent adopted Envoy is given a successor.
func Impatient(c Config, muteAfter time.Duration) Config {
	c.muteAfter = muteAfter
	return c
}

// SilentAdmin asks somebody who takes every connection and never answers.
func SilentAdmin() *Admin {
	return &Admin{http.Client{Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, _ := net.Pipe()
			return ours, nil
		},
	}}}
}
