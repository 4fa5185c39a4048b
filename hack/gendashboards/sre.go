package main

// sre is for the people who keep Tanggap running: what it cannot see, and what uses up the promises.
func sre() *dashboard {
	var l layout
	l.add(4, 4, stat("Operators that lead", "One leads and exports everything else.", `sum(tanggap_operator_leading)`, count, limits(bad, from(1, good), from(2, bad))))
	l.add(4, 4, stat("Ledgers not readable", "Their complaints are unknown, which is not zero.",
		orNone(`tanggap_summary_up{`+inNamespace+`} == 0`, `tanggap_summary_up{`+inNamespace+`}`), count, limits(good, from(1, bad))))
	l.add(4, 4, stat("Channels down", "Their workers do not report.", orNone(`tanggap_channel_up{`+inChannel+`} == 0`, `tanggap_channel_up{`+inChannel+`}`), count, limits(good, from(1, bad))))
	l.add(4, 4, stat("Sources with a problem", "They cannot be read, or deliver nothing valid.",
		orNone(`tanggap_channel_source_problem{`+inChannel+`}`, `tanggap_channel_up{`+inChannel+`}`), count, limits(good, from(1, warning))))
	l.add(4, 4, stat("Oldest figures", "How far from now the ledger that is furthest off has looked at due instants.",
		`max(abs(time() - tanggap_summary_timestamp_seconds{`+inNamespace+`}))`, seconds, limits(good, from(60, warning), from(120, bad))))
	l.add(4, 4, stat("First calendar to end", "After it every holiday counts as a working day.",
		`min(tanggap_calendar_covers_until_timestamp_seconds{`+inNamespace+`}) - time()`, seconds, limits(bad, from(0, warning), from(30*86400, good))))

	l.row("Channels")
	l.add(12, 9, table("Channels, furthest behind first", "How far each source has been read, and what keeps it.", []string{"Time"},
		column{"Lag", `max by (namespace, channel) (tanggap_channel_source_lag_seconds{` + inChannel + `})`, seconds, limits("text", from(300, warning), from(900, bad))},
		column{"Up", `max by (namespace, channel) (tanggap_channel_up{` + inChannel + `})`, count, limits(bad, from(1, good))},
		column{"Since the last success", `time() - max by (namespace, channel) (tanggap_channel_last_success_timestamp_seconds{` + inChannel + `})`, seconds, nil},
		column{"Since the last event", `time() - max by (namespace, channel) (tanggap_channel_last_event_timestamp_seconds{` + inChannel + `})`, seconds, nil},
	))
	l.add(12, 9, graph("Source lag", "Verdicts within the lag are provisional.", seconds, false,
		line{`max by (namespace, channel) (tanggap_channel_source_lag_seconds{` + inChannel + `})`, "{{namespace}}/{{channel}}"}))
	l.add(12, 8, graph("Problems of sources", "While a line is there, the source has that problem.", count, true,
		line{`max by (namespace, channel, reason) (tanggap_channel_source_problem{` + inChannel + `})`, "{{channel}}: {{reason}}"}))
	l.add(12, 8, graph("Channels that are up", "", count, false,
		line{`sum by (namespace) (tanggap_channel_up{` + inChannel + `})`, "{{namespace}}: up"},
		line{`count by (namespace) (tanggap_channel_info{` + inChannel + `})`, "{{namespace}}: declared"}))

	l.row("Ingest")
	l.add(8, 8, graph("Events by result", "Duplicates are usual after a restart; what is rejected is looked at in the worker's log.", "eps", true,
		line{`sum by (result) (rate(tanggap_ingest_events_total{` + inChannel + `}[$__rate_interval]))`, "{{result}}"}))
	l.add(8, 8, graph("Errors by reason", "", "eps", true,
		line{`sum by (reason) (rate(tanggap_ingest_errors_total{` + inChannel + `}[$__rate_interval]))`, "{{reason}}"}))
	l.add(8, 8, graph("Complaints received in an hour", "", perHour, true,
		line{`sum by (namespace, channel) (increase(tanggap_complaints_received_total{` + inChannel + `}[1h]))`, "{{namespace}}/{{channel}}"}))

	l.row("Replies")
	l.add(12, 8, graph("Replies that wait", "They wait for the channel's worker, are with it, or are to be tried again.", count, true,
		line{`max by (namespace, channel) (tanggap_replies_waiting{` + inChannel + `})`, "{{namespace}}/{{channel}}"}))
	l.add(12, 8, graph("Replies of an hour by outcome", "What is unconfirmed was perhaps sent; a person looks at the platform.", perHour, true,
		line{`sum by (outcome) (increase(tanggap_replies_total{` + inChannel + `}[1h]))`, "{{outcome}}"}))

	l.row("Promises")
	const of = `namespace_sla_clock:tanggap_`
	burn := func(window string) line {
		return line{of + `breaches:increase` + window + `{` + inNamespace + `} / ` + of + `verdicts:increase` + window + `{` + inNamespace + `} / on (namespace, sla, clock) ` + of + `budget:ratio`,
			"{{sla}}/{{clock}} over " + window}
	}
	l.add(16, 9, graph("Burn rate", "1 uses up the error budget just at the end of the SLA's window.", count, false, burn("1h"), burn("6h"), burn("3d")))
	l.add(8, 9, table("Verdicts of six hours", "What the burn rate is made of.", nil,
		column{"Breached", of + `breaches:increase6h{` + inNamespace + `}`, count, limits("text", from(3, bad))},
		column{"Of", of + `verdicts:increase6h{` + inNamespace + `}`, count, nil},
		column{"Allowed", of + `budget:ratio{` + inNamespace + `}`, ratio, nil},
	))
	l.add(12, 8, heatmap("Time to the stop of a clock", "Wall time, by the buckets of the histogram.",
		`sum by (le) (increase(tanggap_response_seconds_bucket{`+inChannel+`}[$__rate_interval]))`))
	l.add(12, 8, alerts())
	return newDashboard("tanggap-sre", "Tanggap: operation", "What Tanggap cannot see, how far behind it is, and what uses up the promises.", "now-6h", l.panels,
		namespaces(), channels())
}
