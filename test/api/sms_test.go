package api_test

const sms = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: sms}
spec:
  source:
    type: sms
    sms:
      publicURL: https://aduan.depok.example/hooks/sms
      accountSIDSecretRef: {name: sms, key: account-sid}
      authTokenSecretRefs: [{name: sms, key: auth-token}]
      numbers: ["+622129402200"]
`

func smsPatch(member string) string { return "spec: {source: {sms: {" + member + "}}}" }

func goodSMS() map[string]badManifest {
	return map[string]badManifest{
		"an SMS channel":                        {manifest: sms},
		"an SMS channel that may answer":        {manifest: sms, patch: smsPatch(`reply: {}`)},
		"an SMS channel with many workers":      {manifest: sms, patch: `spec: {worker: {replicas: 8}}`},
		"an SMS channel of codes and names":     {manifest: sms, patch: smsPatch(`numbers: ["1112", "PEMKOT DPK"]`)},
		"an SMS channel behind a query":         {manifest: sms, patch: smsPatch(`publicURL: "https://aduan.depok.example:8443/hooks/sms?city=depok"`)},
		"an SMS channel with words of its own":  {manifest: sms, patch: smsPatch(`optOutKeywords: [CUKUP]`)},
		"an SMS channel with an API elsewhere":  {manifest: sms, patch: smsPatch(`reconcile: {url: "https://api.dublin.ie1.twilio.com", interval: 10m, lookback: 24h, requestsPerMinute: 10}`)},
		"a gateway of text messages":            {manifest: webhook, patch: hookPatch(`mapping: {caseWindow: 24h, reporter: {phone: item.from}}`)},
		"an SMS channel while tokens are moved": {manifest: sms, patch: smsPatch(`authTokenSecretRefs: [{name: a, key: a}, {name: a, key: b}]`)},
	}
}

func badSMS() map[string]badManifest {
	const number = "must be a phone number with its country code such as +622129402200, a short code, or a sender's name"
	return map[string]badManifest{
		"SMS without its member":                 {sms, `spec: {source: {sms: null}}`, "sms must be set when type is sms, and only then"},
		"SMS with the member of another":         {sms, `spec: {source: {open311: {url: "https://a.example"}}}`, "open311 must be set when type is open311, and only then"},
		"another type with the member sms":       {open311, `spec: {source: {sms: {publicURL: "https://a.example", numbers: ["1112"], accountSIDSecretRef: {name: a, key: a}, authTokenSecretRefs: [{name: a, key: a}]}}}`, "sms must be set when type is sms, and only then"},
		"SMS without the URL that is signed":     {sms, smsPatch(`publicURL: null`), "spec.source.sms.publicURL"},
		"SMS at a path alone":                    {sms, smsPatch(`publicURL: /hooks/sms`), "must be an absolute URL"},
		"SMS at a URL with a fragment":           {sms, smsPatch(`publicURL: "https://a.example/hooks/sms#rc=5"`), "must not have a fragment: Twilio neither sends nor signs what follows a #"},
		"SMS at a URL with credentials":          {sms, smsPatch(`publicURL: "https://me:x@a.example/hooks/sms"`), "must not carry credentials"},
		"SMS without an account":                 {sms, smsPatch(`accountSIDSecretRef: null`), "spec.source.sms.accountSIDSecretRef"},
		"SMS that nobody signs":                  {sms, smsPatch(`authTokenSecretRefs: []`), "should have at least 1 items"},
		"SMS with a token in plain sight":        {sms, smsPatch(`authToken: x`), `unknown field "spec.source.sms.authToken"`},
		"SMS to no number":                       {sms, smsPatch(`numbers: []`), "should have at least 1 items"},
		"SMS to a number without a country":      {sms, smsPatch(`numbers: ["021-29402200"]`), number},
		"SMS to a number as a number":            {sms, smsPatch(`numbers: [1112]`), "spec.source.sms.numbers"},
		"SMS to one number twice":                {sms, smsPatch(`numbers: ["1112", "1112"]`), "Duplicate value"},
		"a case of a second by SMS":              {sms, smsPatch(`caseWindow: 1s`), "must be between 1m and 744h"},
		"messages of nobody in particular":       {webhook, hookPatch(`mapping: {caseWindow: 24h}`), "reporter must be set with caseWindow: it says whose messages belong together"},
		"a case of a second at a gateway":        {webhook, hookPatch(`mapping: {caseWindow: 1s, reporter: {phone: item.from}}`), "must be between 1m and 744h"},
		"a list of messages asked for in a loop": {sms, smsPatch(`reconcile: {interval: 1s}`), "must be between 10s and 24h"},
		"a list further back than it goes":       {sms, smsPatch(`reconcile: {lookback: 20000h}`), "must be between 0s and 9600h, as Twilio keeps messages for 13 months"},
		"a list of messages at no URL":           {sms, smsPatch(`reconcile: {url: api.twilio.com}`), "must be an absolute URL"},
		"SMS of a few bytes":                     {sms, smsPatch(`maxBodyBytes: 100`), "should be greater than or equal to 8192"},
	}
}
