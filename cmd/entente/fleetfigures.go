package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// gatherer collects the figures of the process and, each with its domain as a label, those of the domains that are served now.
func (f *fleet) gatherer() prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		all := prometheus.Gatherers{f.figures}
		for _, domain := range f.domains.all() {
			if figures := domain.figures.Load(); figures != nil {
				all = append(all, figures)
			}
		}
		return all.Gather()
	})
}

// fleetFigures serves figures for Prometheus.
type fleetFigures struct {
	listener net.Listener
	figures  prometheus.Gatherer
	ready    chan struct{}
}

func newFleetFigures(listener net.Listener, figures prometheus.Gatherer) *fleetFigures {
	return &fleetFigures{listener: listener, figures: figures, ready: make(chan struct{})}
}

// String names the part.
func (f *fleetFigures) String() string {
	return "figures on http://" + f.listener.Addr().String() + "/metrics"
}

// Ready is closed when figures are served.
func (f *fleetFigures) Ready() <-chan struct{} { return f.ready }

// Run serves until ctx ends.
func (f *fleetFigures) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(f.figures, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve returns what matters
	close(f.ready)
	if err := server.Serve(f.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
