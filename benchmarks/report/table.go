package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// none stands where there is nothing to compare with.
const none = "–"

// A Report is a run: what was measured, on what, and what a reader must know besides.
type Report struct {
	Package string // import path of the program that measured
	Machine []Fact // in order; benchstat compares only runs with the same facts in one table
	Run     []Fact // what differs from run to run
	Figures []Figure
	Systems []System // ours first
	Results *Results
	Notes   []string // shown under the table
}

// A Fact is one line about the machine or the run. The key is lower case without spaces, so that benchstat takes it.
type Fact struct{ Key, Value string }

// Table writes the report for people: a row per figure, and per peer a column with the ratio of the medians.
func (r Report) Table(w io.Writer) error {
	for _, f := range slices.Concat(r.Machine, r.Run) {
		fmt.Fprintf(w, "%s: %s\n", f.Key, f.Value)
	}
	fmt.Fprintln(w)
	var aligned strings.Builder
	t := tabwriter.NewWriter(&aligned, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(r.head(), "\t"))
	for _, f := range r.Figures {
		if row, ok := r.row(f); ok {
			fmt.Fprintln(t, strings.Join(row, "\t"))
		}
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	for line := range strings.Lines(aligned.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n")) // an empty last cell is padded too
	}
	for _, s := range r.Systems {
		if s.Absent != "" {
			fmt.Fprintf(w, "%s  not measured: %s\n", s.Title, s.Absent)
		}
	}
	return r.legend(w)
}

func (r Report) legend(w io.Writer) error {
	_, err := fmt.Fprintln(w, "\nmedian [min..max] of all rounds; ratio: ours ÷ peer, of the medians; ↓ less is better, ↑ more is better")
	for _, n := range r.Notes {
		_, err = fmt.Fprintln(w, "* "+n)
	}
	if err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// present are the systems that have a column.
func (r Report) present() (ours System, peers []System) {
	for i, s := range r.Systems {
		switch {
		case i == 0:
			ours = s
		case s.Absent == "":
			peers = append(peers, s)
		}
	}
	return ours, peers
}

func (r Report) head() []string {
	ours, peers := r.present()
	head := []string{"FIGURE", "UNIT", ours.Title}
	for _, p := range peers {
		head = append(head, p.Title, "ratio")
	}
	return append(head, "TO REACH")
}

// row is false for a figure that nobody measured in this run.
func (r Report) row(f Figure) ([]string, bool) {
	ours, peers := r.present()
	own := Summarize(r.Results.Samples(f.Key, ours.Key))
	row := []string{f.Title, f.unit() + " " + f.Better.arrow(), f.text(own)}
	any := own.N > 0
	for _, p := range peers {
		theirs := Summarize(r.Results.Samples(f.Key, p.Key))
		row = append(row, f.text(theirs), ratio(own, theirs))
		any = any || theirs.N > 0
	}
	return append(row, f.reach(own)), any
}

// text is a summary in the unit for people; a single sample needs no range.
func (f Figure) text(s Summary) string {
	number := func(v float64) string { return strconv.FormatFloat(f.shown(v), 'f', f.Digits, 64) }
	switch s.N {
	case 0:
		return none
	case 1:
		return number(s.Median)
	}
	return fmt.Sprintf("%s [%s..%s]", number(s.Median), number(s.Min), number(s.Max))
}

func (f Figure) reach(own Summary) string {
	if f.Reach == 0 {
		return ""
	}
	sign := "≤"
	if f.Better == Higher {
		sign = "≥"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", sign, strconv.FormatFloat(f.shown(f.Reach), 'f', -1, 64), f.verdict(own)))
}

// ratio compares medians; two systems whose medians are both zero are alike, and nothing is a multiple of zero.
func ratio(own, peer Summary) string {
	if own.N == 0 || peer.N == 0 || peer.Median == 0 {
		return none
	}
	return strconv.FormatFloat(own.Median/peer.Median, 'f', 2, 64)
}
