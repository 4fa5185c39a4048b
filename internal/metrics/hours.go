package metrics

import (
	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/policy"
)

// compileCalendars compiles the calendars of a policy; one that is not accepted is left out.
func compileCalendars(document *policy.Document) map[string]*calendar.Calendar {
	calendars := make(map[string]*calendar.Calendar, len(document.Calendars))
	for name, spec := range document.Calendars {
		if compiled, err := calendar.Compile(spec); err == nil {
			calendars[name] = compiled
		}
	}
	return calendars
}

// calendarOf names the calendar of a channel: its own, else its SLA's; "" is none.
func calendarOf(document *policy.Document, channel policy.Channel) string {
	if channel.Calendar != "" {
		return channel.Calendar
	}
	if reference := document.SLAs[channel.SLA].CalendarRef; reference != nil {
		return reference.Name
	}
	return ""
}

// hours says which channels are open now, so that a silent night is no alarm.
func (e *exposition) hours(calendars map[string]*calendar.Calendar) {
	for name := range e.channels {
		if c := calendars[calendarOf(e.ledger.Policy, e.ledger.Policy.Channels[name])]; c != nil {
			e.gauge(channelOpen, boolean(c.Open(e.now)), name)
		}
	}
}
