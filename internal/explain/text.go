package explain

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tanggap/tanggap/internal/sla"
)

// WriteText writes the report for people, in the local time of each channel's calendar; where there is
// none, in the zone of the instant of evaluation.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	if len(r.Cases) == 0 {
		b.WriteString("There are no cases at this instant.\n")
	}
	for i := range r.Cases {
		if i > 0 {
			b.WriteByte('\n')
		}
		p := printer{report: r, c: &r.Cases[i], zone: r.At.Location(), b: &b}
		if with := r.Cases[i].Rules.Calendar; with != nil {
			p.zone = with.Location()
		}
		p.print()
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// printer writes one case.
type printer struct {
	report *Report
	c      *Case
	zone   *time.Location
	b      *strings.Builder
}

func (p *printer) line(indent int, format string, args ...any) {
	p.b.WriteString(strings.Repeat(" ", indent))
	fmt.Fprintf(p.b, format, args...)
	p.b.WriteByte('\n')
}

func (p *printer) print() {
	c, s := p.c, &p.c.State
	p.line(0, "%s %s: %s", c.Channel, c.CaseID, p.headline())
	p.line(2, "category %s, department %s, priority %s", c.Category, c.Department, c.Priority)
	if s.Received.IsZero() {
		return
	}
	p.line(2, "received %s, judged at %s (%s)", p.date(s.Received), p.when(p.report.At), p.zoneName())
	switch {
	case c.Rules.SLA == nil:
		p.line(2, "no ResponseSLA: nothing is promised")
	case s.Rule == "":
		p.line(2, "ResponseSLA %s: no rule applies, so nothing is promised", c.Rules.Channel.SLA)
	default:
		p.line(2, "ResponseSLA %s, rule %q", c.Rules.Channel.SLA, s.Rule)
	}
	for i := range s.Clocks {
		p.clock(&s.Clocks[i])
	}
}

// headline is the case in a few words.
func (p *printer) headline() string {
	s := &p.c.State
	switch {
	case s.Received.IsZero():
		return "not received yet"
	case s.MergedInto != "":
		return "merged into " + s.MergedInto
	case s.Cancelled:
		return "closed as " + string(s.Status)
	case s.Unanswered:
		return "unanswered since " + p.when(s.WaitingSince)
	case s.AwaitingReply:
		return "the citizen waits for a reply since " + p.when(s.WaitingSince)
	case s.Closed:
		return "closed"
	case s.Answered():
		return "answered"
	}
	return "open"
}

func (p *printer) clock(k *sla.ClockState) {
	name := k.Name
	if k.Cycle > 1 || k.Measures == sla.MeasureNextReply {
		name += fmt.Sprintf(" (reply %d)", k.Cycle)
	}
	p.b.WriteByte('\n')
	p.line(2, "%s: %s", name, p.verdict(k))
}

// verdict is the state of a clock in a few words.
func (p *printer) verdict(k *sla.ClockState) string {
	due := "due " + p.when(k.DueAt)
	if k.DueAt.IsZero() {
		due = "never due"
	}
	if k.BeyondCoverage {
		due += " (the calendar does not know the holidays until then)"
	}
	stopped := p.when(k.StoppedAt)
	switch k.State {
	case sla.Pending:
		return "PENDING, not started"
	case sla.Running:
		text := "RUNNING, " + due
		if !k.DueAt.IsZero() {
			text += ", in " + span(k.DueAt.Sub(p.report.At))
		}
		if k.DueSoon {
			text += ", DUE SOON"
		}
		return text
	case sla.Paused:
		return "PAUSED, " + p.remaining(k)
	case sla.Met:
		return "MET at " + stopped + ", was " + due
	case sla.Cancelled:
		return "CANCELLED at " + stopped + ", would have been " + due
	case sla.Breached:
		text := "BREACHED, was " + due
		switch {
		case k.StoppedAt.IsZero():
			text += ", " + span(k.Overrun) + " ago"
		default:
			text += ", stopped " + stopped + ", " + span(k.Overrun) + " late"
		}
		if !k.Final {
			text += " (provisional: the channel has not been read up to the due instant)"
		}
		return text
	}
	return string(k.State)
}

func (p *printer) remaining(k *sla.ClockState) string {
	if k.RemainingDays > 0 {
		return plural(k.RemainingDays, "working day") + " left"
	}
	return span(k.Remaining) + " left"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// when is a local time, with the year where it is not that of the evaluation.
func (p *printer) when(t time.Time) string {
	t = t.In(p.zone)
	layout := "Mon 2 Jan 15:04"
	if t.Year() != p.report.At.In(p.zone).Year() {
		layout = "Mon 2 Jan 2006 15:04"
	}
	if t.Second() != 0 {
		layout += ":05"
	}
	return t.Format(layout)
}

// date is a local time with its year.
func (p *printer) date(t time.Time) string { return t.In(p.zone).Format("Mon 2 Jan 2006 15:04") }

func (p *printer) zoneName() string {
	if name := p.zone.String(); name != "" {
		return name
	}
	return "UTC" + p.report.At.Format("-07:00")
}

// span is a duration as people say it, in its two largest units.
func span(d time.Duration) string {
	d = d.Truncate(time.Second)
	days, h, m, s := d/(24*time.Hour), d%(24*time.Hour)/time.Hour, d%time.Hour/time.Minute, d%time.Minute/time.Second
	var parts []string
	for _, unit := range [...]struct {
		n    time.Duration
		name string
	}{{days, "d"}, {h, "h"}, {m, "min"}, {s, "s"}} {
		if unit.n > 0 && len(parts) < 2 {
			parts = append(parts, fmt.Sprintf("%d %s", unit.n, unit.name))
		} else if len(parts) > 0 {
			break
		}
	}
	if len(parts) == 0 {
		return "0 s"
	}
	return strings.Join(parts, " ")
}
