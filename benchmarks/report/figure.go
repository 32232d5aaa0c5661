// Package report turns measured samples into a table that compares systems, and into lines that benchstat reads.
package report

// A Direction says which way a figure gets better.
type Direction int

// A figure is better when it is smaller, or when it is greater.
const (
	Lower Direction = iota
	Higher
)

func (d Direction) arrow() string {
	if d == Higher {
		return "↑"
	}
	return "↓"
}

func (d Direction) word() string {
	if d == Higher {
		return "higher"
	}
	return "lower"
}

// A Figure is one thing that is measured. Samples are kept in the base unit, which benchstat scales by itself; people are shown
// another one.
type Figure struct {
	Key    string    // its name for benchstat, in CamelCase
	Title  string    // its name for people
	Unit   string    // of the samples, as benchstat writes it, such as "sec" or "B"
	Shown  string    // unit of the table, such as "ms"; "" means Unit
	Scale  float64   // how many shown units one base unit is; 0 means 1
	Digits int       // after the decimal point in the table
	Better Direction // which way it gets better
	Reach  float64   // what must be reached, in the base unit; 0 means that nothing is asked
}

func (f Figure) shown(v float64) float64 {
	if f.Scale == 0 {
		return v
	}
	return v * f.Scale
}

func (f Figure) unit() string {
	if f.Shown == "" {
		return f.Unit
	}
	return f.Shown
}

// within reports whether a value is on the good side of the reach.
func (f Figure) within(v float64) bool {
	if f.Better == Higher {
		return v >= f.Reach
	}
	return v <= f.Reach
}

// verdict says in a word whether the reach was reached: always, in the median, or not.
func (f Figure) verdict(s Summary) string {
	worst := s.Max
	if f.Better == Higher {
		worst = s.Min
	}
	switch {
	case f.Reach == 0 || s.N == 0:
		return ""
	case f.within(worst):
		return "reached"
	case f.within(s.Median):
		return "median reached"
	}
	return "MISSED"
}

// A System is one of those that are compared.
type System struct {
	Key    string // its name for benchstat: lower case, no space
	Title  string // its name for people
	Absent string // why it was not measured; "" when it was
}
