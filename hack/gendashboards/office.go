package main

// office is for the mayor's office: were the promises kept, what came back, and is it getting better.
func office() *dashboard {
	var l layout
	kept := func(by, window string) string {
		return `sum` + by + ` (increase(tanggap_sla_clocks_total{` + inChannel + `,outcome="met"}[` + window + `])) / sum` + by +
			` (increase(tanggap_sla_clocks_total{` + inChannel + `,outcome=~"met|breached"}[` + window + `]))`
	}
	quantile := func(q, by, window string) string {
		return `histogram_quantile(` + q + `, sum by (` + by + `le) (increase(tanggap_response_seconds_bucket{` + inChannel + `}[` + window + `])))`
	}
	share := limits(bad, from(0.8, warning), from(0.95, good))
	l.add(4, 4, stat("Promises kept", "Of the verdicts in the time shown, how many were kept.", kept("", "$__range"), ratio, share))
	l.add(4, 4, stat("Complaints received", "In the time shown.", `sum(increase(tanggap_complaints_received_total{`+inChannel+`}[$__range]))`, count, limits("text")))
	l.add(4, 4, stat("Complaints answered", "For the first time, in the time shown.", `sum(increase(tanggap_complaints_answered_total{`+inChannel+`}[$__range]))`, count, limits("text")))
	l.add(4, 4, stat("Came back elsewhere", "Complaints that were brought to another channel while still unanswered on the first; all so far.",
		`sum(tanggap_spillovers_total{`+inNamespace+`,to=~"$channel"})`, count, limits(good, from(1, warning))))
	half := stat("Half are done within", "Wall time to the stop of each clock, in the time shown.", quantile("0.5", "clock, ", "$__range"), seconds, limits("text"))
	half.Targets[0].LegendFormat = "{{clock}}"
	l.add(4, 4, half)
	l.add(4, 4, stat("Waiting now", "Complaints that nobody who counts has answered.", orZero(`sum(tanggap_complaints_unanswered{`+inChannel+`})`), count, limits("text")))

	l.row("Promises")
	l.add(12, 9, table("Promises, the worst first", "What was kept in the time shown, beside the objective.", nil,
		column{"Missed", `1 - (` + kept(" by (namespace, sla, clock)", "$__range") + `)`, ratio, nil},
		column{"Kept", kept(" by (namespace, sla, clock)", "$__range"), ratio, share},
		column{"Objective", `max by (namespace, sla, clock) (tanggap_sla_objective_ratio{` + inNamespace + `})`, ratio, nil},
		column{"Verdicts", `sum by (namespace, sla, clock) (increase(tanggap_sla_clocks_total{` + inChannel + `,outcome=~"met|breached"}[$__range]))`, count, nil},
	))
	l.add(12, 9, graph("Kept over the last seven days", "Each point looks back seven days.", ratio, false,
		line{kept(" by (namespace, sla, clock)", "7d"), "{{namespace}} {{sla}}/{{clock}}"}))
	l.add(12, 8, bars("Kept by department", "In the time shown.", `sort(`+kept(" by (department)", "$__range")+`)`, "{{department}}", ratio, share))
	l.add(12, 8, bars("Broken by category", "Promises broken in the time shown.",
		`topk(12, sum by (category) (increase(tanggap_sla_clocks_total{`+inChannel+`,outcome="breached"}[$__range])))`, "{{category}}", count, limits(good, from(1, bad))))

	l.row("Spill-over")
	l.add(12, 8, graph("Came back elsewhere", "All so far, by where people went first and where they went then.", count, true,
		line{`sum by (from, to) (tanggap_spillovers_total{` + inNamespace + `,to=~"$channel"})`, "{{from}} → {{to}}"}))
	l.add(12, 8, graph("Waiting on unofficial channels", "What people tell the mayor because nobody else answered.", count, true,
		line{`sum by (namespace, channel) (tanggap_complaints_unanswered{` + inChannel + `} * on (namespace, channel) group_left () max by (namespace, channel) (tanggap_channel_info{official="false"}))`, "{{channel}}"}))

	l.row("Trend")
	l.add(12, 8, graph("Received and answered in a day", "", count, false,
		line{`sum(increase(tanggap_complaints_received_total{` + inChannel + `}[1d]))`, "received"},
		line{`sum(increase(tanggap_complaints_answered_total{` + inChannel + `}[1d]))`, "answered for the first time"}))
	l.add(12, 8, graph("Time to an answer", "Of the last seven days: half are faster than the lower line, nine in ten than the upper.", seconds, false,
		line{quantile("0.5", "clock, ", "7d"), "{{clock}}, half"}, line{quantile("0.9", "clock, ", "7d"), "{{clock}}, nine in ten"}))
	l.add(24, 8, graph("Unanswered by channel", "", count, true,
		line{`sum by (namespace, channel) (tanggap_complaints_unanswered{` + inChannel + `})`, "{{namespace}}/{{channel}}"}))
	return newDashboard("tanggap-office", "Tanggap: mayor's office", "Promises kept, complaints that came back on another channel, and the trend.", "now-30d", l.panels,
		namespaces(), channels())
}
