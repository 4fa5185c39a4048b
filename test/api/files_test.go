package api_test

const callCentre = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: emergency-112}
spec:
  source:
    type: emergency112
    emergency112:
      arrival:
        type: CSV
        csv:
          files:
            volume: {claimName: cad-exports}
`

const exports = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: lapor}
spec:
  source:
    type: csv
    csv:
      files:
        volume: {claimName: exports}
      mapping:
        caseID: item.id
        events:
          - {kind: Received, at: item.created}
`

func callPatch(member string) string { return "spec: {source: {emergency112: {" + member + "}}}" }

func filesPatch(member string) string { return "spec: {source: {csv: {files: {" + member + "}}}}" }

func goodFiles() map[string]badManifest {
	return map[string]badManifest{
		"a call centre that exports": {manifest: callCentre},
		"a call centre that delivers, to many workers": {manifest: callCentre,
			patch: `spec: {worker: {replicas: 8}, source: {emergency112: {arrival: {type: Webhook, csv: null, webhook: {standardWebhooks: {secretRefs: [{name: a, key: b}]}}}}}}`},
		"a call centre's database": {manifest: callCentre,
			patch: callPatch(`arrival: {type: PostgreSQL, csv: null, postgresql: {urlSecretRef: {name: a, key: b}, view: report.Incidents_1}}`)},
		"files of anything": {manifest: exports,
			patch: filesPatch(`volume: {subPath: lapor/export}, pattern: "lapor-*.csv", quarantine: {claimName: exports, subPath: rejected}`)},
	}
}

func badFiles() map[string]badManifest {
	return map[string]badManifest{
		"a call centre without a way to arrive":   {callCentre, callPatch(`arrival: null`), "spec.source.emergency112.arrival"},
		"a call centre with another way's member": {callCentre, callPatch(`arrival: {type: Webhook}`), "webhook must be set when type is Webhook, and only then"},
		"a call centre by telephone":              {callCentre, callPatch(`arrival: {type: SIP}`), `supported values: "Webhook", "CSV", "PostgreSQL"`},
		"a view that is a query": {callCentre,
			callPatch(`arrival: {type: PostgreSQL, csv: null, postgresql: {urlSecretRef: {name: a, key: b}, view: "incidents; DROP TABLE x"}}`), "must be the name of a view, or schema.view"},
		"a database whose URL is no secret": {callCentre,
			callPatch(`arrival: {type: PostgreSQL, csv: null, postgresql: {url: "postgres://a:b@c/d", view: incidents}}`), `unknown field "spec.source.emergency112.arrival.postgresql.url"`},
		"a call centre that counts no call":           {callCentre, callPatch(`countCallTypes: []`), "should have at least 1 items"},
		"a call centre that is answered by the phone": {callCentre, callPatch(`answeredBy: Pickup`), `supported values: "Disposition", "Closing", "Dispatch"`},
		"two readers of one directory":                {callCentre, `spec: {worker: {replicas: 2}}`, "a source that is polled has one reader, so at most 1"},
		"files of no volume":                          {exports, filesPatch(`volume: null`), "spec.source.csv.files.volume"},
		"files of a volume in capitals":               {exports, filesPatch(`volume: {claimName: Exports}`), "must be the name of a PersistentVolumeClaim"},
		"files of a ledger":                           {exports, filesPatch(`volume: {claimName: data-ledger-ledger-0}`), "must not be the volume of a ledger"},
		"a quarantine in a ledger":                    {exports, filesPatch(`quarantine: {claimName: data-ledger-ledger-0}`), "must not be the volume of a ledger"},
		"a quarantine that is read again":             {exports, filesPatch(`quarantine: {claimName: exports}`), "quarantine: must be another directory than volume"},
		"a quarantine in the volume's root, as files": {exports, filesPatch(`quarantine: {claimName: exports, subPath: ./}`), "quarantine: must be another directory than volume"},
		"a quarantine that is read again elsewhere":   {exports, filesPatch(`volume: {subPath: a}, quarantine: {claimName: exports, subPath: a/}`), "quarantine: must be another directory than volume"},
		"files beside the volume":                     {exports, filesPatch(`volume: {subPath: a/../../b}`), "must be a relative path without '..'"},
		"files of an absolute path":                   {exports, filesPatch(`volume: {subPath: /a}`), "must be a relative path without '..'"},
		"files of a directory by their pattern":       {exports, filesPatch(`pattern: "a/*.csv"`), "must be a name with * and ?, without a directory"},
		"files that are complete by size":             {exports, filesPatch(`completion: Size`), `supported values: "Renamed", "Marker"`},
		"files in UTF-16":                             {exports, filesPatch(`encoding: UTF16`), `supported values: "UTF8", "Windows1252"`},
		"files with a delimiter of two characters":    {exports, filesPatch(`delimiter: "||"`), `supported values: "Comma", "Semicolon", "Tab", "Pipe"`},
		"files that never settle":                     {exports, filesPatch(`settleTime: 2h`), "must be between 0s and 1h"},
		"files of four gigabytes":                     {exports, filesPatch(`maxFileBytes: 536870913`), "should be less than or equal to 536870912"},
		"files without a mapping":                     {exports, `spec: {source: {csv: {mapping: null}}}`, "spec.source.csv.mapping"},
	}
}
