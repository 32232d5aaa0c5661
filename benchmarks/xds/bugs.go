package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/entente-mesh/entente/xds/cache"
)

// bugsKey names the last section, which has no figures: which known bugs of control planes does who have?
const bugsKey = "bugs"

// A bug is a story that must end well, told to each patient over a real stream. xds/cache has the same ones as regression tests.
type bug struct {
	name  string
	state []bool // the dialects in which it is tried: state of the world, or not
	story func(p patient, d *dialogue) error
}

func bugs() []bug {
	both, delta := []bool{true, false}, []bool{false}
	return []bug{
		{"go-control-plane #1318: a name that came later is sent, unchanged clusters are not", both, laterName},
		{"go-control-plane #612: each change of a filter is sent once", delta, everyFilter},
		{"kgateway #14688: endpoints that nobody asks for withhold no others", both, unaskedEndpoints},
		{"go-control-plane #962: what was refused is not sent again and again", both, refusedOnce},
		{"go-control-plane #488: a name that was missing is sent when it comes", delta, missingName},
		{"go-control-plane #565: a name that is missing is said to be", delta, saidMissing},
		{"go-control-plane #1450: a name that is subscribed again, since the client has forgotten it, is sent again", delta, forgotten},
		{"go-control-plane #583: a name that was given up and is wanted again is sent", both, wantedAgain},
	}
}

func laterName(p patient, d *dialogue) error {
	return errors.Join(p.put(cache.Cluster, map[string]string{"aggregate": "1", "bar": "1", "foo": "1"}),
		p.put(cache.Endpoint, map[string]string{"foo": "1"}),
		steps(
			func() error { return d.want(cache.Cluster, "aggregate") },
			func() error { return d.get(cache.Cluster, "aggregate", "1") },
			func() error { return d.want(cache.Cluster, "foo", "bar") },
			func() error { return d.get(cache.Cluster, "bar", "1") },
			func() error { return d.want(cache.Endpoint, "foo", "bar") },
			func() error { return d.get(cache.Endpoint, "foo", "1") },
			d.quiet,
			func() error { return p.put(cache.Endpoint, map[string]string{"bar": "1"}) },
			func() error { return d.get(cache.Endpoint, "bar", "1") },
			d.quiet,
		))
}

func everyFilter(p patient, d *dialogue) error {
	if err := steps(
		func() error { return p.put(cache.Filter, map[string]string{"a": "0", "b": "0"}) },
		func() error { return d.want(cache.Filter, "a") },
		func() error { return d.get(cache.Filter, "a", "0") },
		func() error { return d.want(cache.Filter, "b") },
		func() error { return d.get(cache.Filter, "b", "0") },
	); err != nil {
		return err
	}
	for i := range 5 {
		text := fmt.Sprint(i + 1)
		if err := steps(
			func() error { return p.put(cache.Filter, map[string]string{"a": text}) },
			func() error { return d.get(cache.Filter, "a", text) },
			d.quiet,
		); err != nil {
			return err
		}
	}
	return nil
}

func unaskedEndpoints(p patient, d *dialogue) error {
	return steps(
		func() error { return p.put(cache.Cluster, map[string]string{"bad": "1", "good": "1"}) },
		func() error { return p.put(cache.Endpoint, map[string]string{"bad": "1", "good": "1"}) },
		func() error { return d.want(cache.Cluster) },
		func() error { return d.rejectAll(cache.Cluster, "bad") },
		func() error { return d.want(cache.Endpoint, "good") },
		func() error { return d.get(cache.Endpoint, "good", "1") },
		func() error { return p.put(cache.Endpoint, map[string]string{"bad": "2", "good": "2"}) },
		func() error { return d.get(cache.Endpoint, "good", "2") },
		func() error { return p.put(cache.Endpoint, map[string]string{"good": "3"}) },
		func() error { return d.get(cache.Endpoint, "good", "3") },
	)
}

func refusedOnce(p patient, d *dialogue) error {
	return steps(
		func() error { return p.put(cache.Listener, map[string]string{"a": "bad"}) },
		func() error { return d.want(cache.Listener) },
		func() error {
			r, err := d.next()
			if err != nil {
				return err
			}
			return d.reject(cache.Listener, r)
		},
		d.quiet,
		func() error { return p.put(cache.Listener, map[string]string{"a": "good"}) },
		func() error { return d.get(cache.Listener, "a", "good") },
		d.quiet,
	)
}

func forgotten(p patient, d *dialogue) error {
	return steps(
		func() error { return p.put(cache.Endpoint, map[string]string{"foo": "1"}) },
		func() error { return d.want(cache.Endpoint, "foo") },
		func() error { return d.get(cache.Endpoint, "foo", "1") },
		func() error { return d.want(cache.Endpoint, "foo") },
		func() error { return d.get(cache.Endpoint, "foo", "1") },
		d.quiet,
	)
}

func missingName(p patient, d *dialogue) error {
	return steps(
		func() error { return d.want(cache.Endpoint, "foo") },
		func() error { return d.acceptAll(cache.Endpoint) },
		func() error { return p.put(cache.Endpoint, map[string]string{"foo": "1"}) },
		func() error { return d.get(cache.Endpoint, "foo", "1") },
	)
}

func saidMissing(p patient, d *dialogue) error {
	return steps(
		func() error { return p.put(cache.Endpoint, map[string]string{"bar": "1"}) },
		func() error { return d.want(cache.Endpoint, "foo") },
		func() error {
			r, err := d.next()
			if err != nil {
				return fmt.Errorf("the client waits for foo: %w", err)
			}
			if len(r.removed) != 1 || r.removed[0] != "foo" {
				return fmt.Errorf("instead of -foo came %s", r)
			}
			return nil
		},
	)
}

func wantedAgain(p patient, d *dialogue) error {
	return steps(
		func() error { return p.put(cache.Endpoint, map[string]string{"foo": "1", "bar": "1"}) },
		func() error { return d.want(cache.Endpoint, "foo", "bar") },
		func() error { return d.get(cache.Endpoint, "foo", "1") },
		func() error { return d.forgo(cache.Endpoint, "foo") },
		func() error { return d.acceptAll(cache.Endpoint) },
		func() error { return d.want(cache.Endpoint, "foo") },
		func() error { return d.get(cache.Endpoint, "foo", "1") },
	)
}

// steps does one after the other until one fails.
func steps(all ...func() error) error {
	for _, do := range all {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// rejectAll refuses whatever has the name and accepts the rest, until nothing comes. A server that never ends is left without an answer.
func (d *dialogue) rejectAll(of cache.Type, bad string) error {
	const enough = 5
	for range enough {
		r, err := d.next()
		if errors.Is(err, errSilence) {
			return nil
		} else if err != nil {
			return err
		}
		answer := d.accept
		if _, has := r.content[bad]; has {
			answer = d.reject
		}
		if err := answer(of, r); err != nil {
			return err
		}
	}
	for { // what is on its way; nothing of it is answered
		if _, err := d.next(); errors.Is(err, errSilence) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// acceptAll accepts whatever comes until nothing does.
func (d *dialogue) acceptAll(of cache.Type) error {
	for {
		r, err := d.next()
		if errors.Is(err, errSilence) {
			return nil
		} else if err != nil {
			return err
		}
		if err := d.accept(of, r); err != nil {
			return err
		}
	}
}

// A diagnosis is how one story ended for one patient.
type diagnosis struct {
	bug     string
	patient string
	found   error // nil: well
}

// diagnose tells every story to every patient.
func diagnose(ctx context.Context, silence time.Duration) ([]diagnosis, error) {
	patients := []struct {
		title string
		build func() patient
	}{{"Entente", newUs}, {"gcp snapshot, ADS", newGCPSnapshot(true)}, {"gcp snapshot", newGCPSnapshot(false)}, {"gcp mux", newGCPMux}}
	var all []diagnosis
	for _, b := range bugs() {
		for _, state := range b.state {
			for _, p := range patients {
				dir, err := os.MkdirTemp("", "entente-bench-")
				if err != nil {
					return nil, fmt.Errorf("make a folder for a socket: %w", err)
				}
				found, err := examine(ctx, dir, p.build(), func(ctx context.Context, p patient, target string) error {
					d, err := talk(ctx, target, state, silence)
					if err != nil {
						return err
					}
					return b.story(p, d)
				})
				if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
					return nil, fmt.Errorf("%s, %s: %w", b.name, p.title, err)
				}
				all = append(all, diagnosis{bug: b.name + dialectOf(state), patient: p.title, found: found})
			}
		}
	}
	return all, nil
}

func dialectOf(state bool) string {
	if state {
		return " (state of the world)"
	}
	return " (delta)"
}

// reportBugs writes the table of what was found.
func reportBugs(ctx context.Context, silence time.Duration, w io.Writer) error {
	all, err := diagnose(ctx, silence)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "section: known bugs of control planes, the same story for each server over a real stream")
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "BUG\tEntente\tgcp snapshot, ADS\tgcp snapshot\tgcp mux")
	var row []string
	var notes []string
	for i, d := range all {
		if i == 0 || all[i-1].bug != d.bug {
			row = []string{d.bug}
		}
		verdict := "passes"
		if d.found != nil {
			verdict = "FAILS"
			notes = append(notes, fmt.Sprintf("%s: %s: %v", d.patient, d.bug, d.found))
		}
		row = append(row, verdict)
		if i+1 == len(all) || all[i+1].bug != d.bug {
			fmt.Fprintln(t, strings.Join(row, "\t"))
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	fmt.Fprintf(w, "\ngcp: go-control-plane v0.14.0; the snapshot cache in its mode for ADS and without it, mux over a linear cache per type; silent for %v counts as nothing sent\n", silence)
	for _, n := range notes {
		fmt.Fprintln(w, "* "+n)
	}
	return nil
}
