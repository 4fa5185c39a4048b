package explain

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/sla"
)

// WriteText writes the report for people.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	if len(r.Cases) == 0 {
		b.WriteString("There are no cases at this instant.\n")
	}
	for i := range r.Cases {
		if i > 0 {
			b.WriteByte('\n')
		}
		p := printer{Case: &r.Cases[i], at: r.At.In(r.Cases[i].Zone), b: &b}
		p.print()
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// printer writes one case.
type printer struct {
	*Case
	at time.Time
	b  *strings.Builder
}

func (p *printer) line(indent int, format string, args ...any) {
	p.b.WriteString(strings.Repeat(" ", indent))
	fmt.Fprintf(p.b, format, args...)
	p.b.WriteByte('\n')
}

func (p *printer) print() {
	p.line(0, "%s %s: %s", p.Channel, complaint.Shown(p.CaseID), p.headline())
	p.line(2, "at %s, %s", p.at.Format("Mon 2 Jan 2006 15:04"), p.zone())
	p.line(2, "category %s, department %s, priority %s", p.Category, p.Department, p.Priority)
	if name := p.Rules.Channel.SLA; name != "" {
		p.line(2, "promised by the ResponseSLA %s", name)
	}
	p.steps(2, p.Steps)
	for i := range p.Clocks {
		k := &p.Clocks[i]
		p.b.WriteByte('\n')
		p.line(2, "%s: %s", title(&k.Clock), p.verdict(&k.Clock))
		p.steps(4, k.Steps)
	}
}

func (p *printer) steps(indent int, steps []sla.Step) {
	for _, step := range steps {
		p.line(indent, "- %s", step.Text)
	}
}

// headline is the case in a few words.
func (p *printer) headline() string {
	switch s := &p.Explanation.Case; {
	case s.Received.IsZero():
		return "not received yet"
	case s.MergedInto != "":
		return "merged into " + complaint.Shown(s.MergedInto)
	case s.Cancelled:
		return "closed as " + string(s.Status)
	case s.Unanswered:
		return "unanswered since " + p.when(s.WaitingSince)
	case s.AwaitingReply:
		return "answered, and the citizen waits for a reply since " + p.when(s.WaitingSince)
	case s.Closed:
		return "resolved"
	}
	return "answered"
}

// title names a clock, and which of the citizen's messages it is about.
func title(k *sla.ClockState) string {
	if k.Measures == sla.MeasureNextReply {
		return fmt.Sprintf("%s, message %d", k.Name, k.Cycle)
	}
	return k.Name
}

// verdict is the state of a clock in a few words; the steps say the rest.
func (p *printer) verdict(k *sla.ClockState) string {
	text := strings.ToUpper(string(k.State))
	if !k.DueAt.IsZero() && (k.State == sla.Running || k.State == sla.Breached) {
		text += ", due " + p.when(k.DueAt)
	}
	switch {
	case k.DueSoon:
		text += ", soon"
	case k.State == sla.Breached && !k.Final:
		text += ", not final"
	}
	return text
}

// when is a local time, with the year where it is not that of the evaluation.
func (p *printer) when(t time.Time) string {
	t = t.In(p.Zone)
	layout := "Mon 2 Jan 15:04"
	if t.Year() != p.at.Year() {
		layout = "Mon 2 Jan 2006 15:04"
	}
	if t.Second() != 0 {
		layout += ":05"
	}
	return t.Format(layout)
}

func (p *printer) zone() string {
	if name := p.Zone.String(); name != "" && name != "Local" {
		return name
	}
	return "UTC" + p.at.Format("-07:00")
}
