package main

const (
	inNamespace  = `namespace=~"$namespace"`
	inChannel    = `namespace=~"$namespace",channel=~"$channel"`
	inDepartment = `namespace=~"$namespace",channel=~"$channel",department=~"$department"`
)

func namespaces() variable {
	return choice("namespace", "City", "label_values(tanggap_channel_info, namespace)")
}

func channels() variable {
	return choice("channel", "Channel", `label_values(tanggap_channel_info{namespace=~"$namespace"}, channel)`)
}

// complaintsKnown is there just when a channel's complaints are known.
const complaintsKnown = "tanggap_channel_clocks_beyond_coverage"

// orZero is a number of people who wait, and 0 while the complaints of some channel are known and none waits.
func orZero(expr string) string {
	return expr + " or 0 * count(" + complaintsKnown + "{" + inChannel + "})"
}

// desk is for the people who answer: who waits, where, and who has waited longest.
func desk() *dashboard {
	var l layout
	some := limits(good, from(1, warning))
	l.add(4, 4, stat("Waiting for a first answer", "Complaints that nobody who counts has answered.",
		orZero(`sum(tanggap_complaints_unanswered{`+inDepartment+`})`), count, limits("text")))
	l.add(4, 4, stat("Waiting for any answer", "Complaints whose citizen waits for a word: the first answer, or one to a later message.",
		orZero(`sum(tanggap_complaints_awaiting_reply{`+inDepartment+`})`), count, limits("text")))
	l.add(4, 4, stat("Promises due soon", "Clocks that are past their warning and can still be kept. A complaint may have several.",
		orZero(`sum(tanggap_complaints_due_soon{`+inDepartment+`})`), count, some))
	l.add(4, 4, stat("Promises overdue", "Clocks that run past their due instant. A complaint may have several.",
		orZero(`sum(tanggap_complaints_overdue{`+inDepartment+`})`), count, limits(good, from(1, bad))))
	l.add(4, 4, stat("Longest wait", "How long the complaint has waited that has waited longest; 0 when none waits.",
		orZero(`time() - min(tanggap_complaint_oldest_unanswered_timestamp_seconds{`+inChannel+`})`), seconds, limits(good, from(3*86400, warning), from(14*86400, bad))))
	l.add(4, 4, stat("Channels not known", "While a channel's worker does not report, its complaints are in none of these numbers.",
		orNone(`tanggap_channel_info{`+inChannel+`} unless on (namespace, channel) `+complaintsKnown, `tanggap_channel_info{`+inChannel+`}`),
		count, limits(good, from(1, bad))))

	const by = `sum by (namespace, department, channel) `
	l.row("Who is waiting")
	l.add(16, 11, table("By department and channel, worst first", "Promises overdue first; a complaint may have several. The other two count complaints.", []string{"namespace"},
		column{"Promises overdue", by + `(tanggap_complaints_overdue{` + inDepartment + `})`, count, limits("text", from(1, bad))},
		column{"Promises due soon", by + `(tanggap_complaints_due_soon{` + inDepartment + `})`, count, limits("text", from(1, warning))},
		column{"Unanswered", by + `(tanggap_complaints_unanswered{` + inDepartment + `})`, count, nil},
		column{"Awaiting a reply", by + `(tanggap_complaints_awaiting_reply{` + inDepartment + `})`, count, nil},
	))
	l.add(8, 11, bars("Longest wait by channel", "How long the oldest unanswered complaint of each channel has waited.",
		`sort_desc(time() - min by (namespace, channel) (tanggap_complaint_oldest_unanswered_timestamp_seconds{`+inChannel+`}))`,
		"{{channel}}", seconds, limits(good, from(3*86400, warning), from(14*86400, bad))))
	l.add(12, 8, bars("Unanswered by category", "What the waiting is about.",
		`topk(12, sum by (category) (tanggap_complaints_unanswered{`+inDepartment+`}))`, "{{category}}", count, limits("blue")))
	l.add(12, 8, bars("Overdue by priority and promise", "Which promises are being broken now.",
		`sort_desc(sum by (priority, sla, clock) (tanggap_complaints_overdue{`+inDepartment+`}))`, "{{priority}} {{sla}}/{{clock}}", count, limits(good, from(1, bad))))

	l.row("How it goes")
	l.add(12, 8, graph("Unanswered by department", "A gap is a time of which nothing is known.", count, true,
		line{`sum by (department) (tanggap_complaints_unanswered{` + inDepartment + `})`, "{{department}}"}))
	l.add(12, 8, graph("Promises overdue by department", "A complaint may have several.", count, true,
		line{`sum by (department) (tanggap_complaints_overdue{` + inDepartment + `})`, "{{department}}"}))
	l.add(12, 8, graph("Received and answered in an hour", "While more is received than answered, the backlog grows.", perHour, false,
		line{`sum(increase(tanggap_complaints_received_total{` + inDepartment + `}[1h]))`, "received"},
		line{`sum(increase(tanggap_complaints_answered_total{` + inDepartment + `}[1h]))`, "answered for the first time"}))
	l.add(12, 8, alerts())
	return newDashboard("tanggap-desk", "Tanggap: city desk", "Who is waiting for an answer, by department and channel, worst first.", "now-24h", l.panels,
		namespaces(), channels(), choice("department", "Department", `label_values(tanggap_complaints_received_total{namespace=~"$namespace"}, department)`))
}
