package api_test

import "maps"

type badManifest struct {
	// manifest is a good one, patch makes it bad, and want is part of the message.
	manifest, patch, want string
}

const (
	channel = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: portal}
spec:
  source:
    type: rest
    rest:
      url: https://portal.example.org/api/complaints
      mapping:
        caseID: item.id
        events:
          - {kind: Received, at: item.created}
`
	webhook = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: hook}
spec:
  source:
    type: webhook
    webhook:
      verification:
        type: HMAC
        hmac:
          header: X-Signature
          secretRefs: [{name: hook, key: secret}]
      mapping:
        caseID: item.id
        events:
          - {kind: Received, at: item.created}
`
	open311 = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: civic}
spec:
  source:
    type: open311
    open311: {url: "https://open311.example.org/v2"}
`
	xAccount = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: deputy-mayor-x}
spec:
  official: false
  source:
    type: x
    x:
      userID: "2244994945"
      bearerTokenSecretRef: {name: x, key: bearer-token}
`
	whatsapp = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: chat}
spec:
  source:
    type: whatsapp
    whatsapp:
      appSecretSecretRefs: [{name: chat, key: app-secret}]
      verifyTokenSecretRef: {name: chat, key: verify-token}
      phoneNumberIDs: ["106540352242922"]
`
	telegramBot = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: bot}
spec:
  source:
    type: telegram
    telegram:
      botTokenSecretRef: {name: bot, key: token}
`
	metaPage = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: deputy-mayor-meta}
spec:
  source:
    type: meta
    meta:
      appID: "1517776481860000"
      pageID: "102000000000001"
      appSecretSecretRefs: [{name: meta, key: app-secret}]
      verifyTokenSecretRef: {name: meta, key: verify-token}
      accessTokenSecretRef: {name: meta, key: access-token}
`
	sla = `
apiVersion: tanggap.dev/v1alpha1
kind: ResponseSLA
metadata: {name: city}
spec:
  rules:
    - name: all
      clocks:
        - {name: first, measures: FirstAnswer, target: {within: 24h}}
`
	calendar = `
apiVersion: tanggap.dev/v1alpha1
kind: WorkCalendar
metadata: {name: office}
spec:
  timeZone: Asia/Jakarta
  weekly:
    - days: [Monday]
      hours: [{start: "08:00", end: "16:00"}]
`
	taxonomy = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintTaxonomy
metadata: {name: city}
spec:
  departments: [{name: works}]
  categories:
    - {name: flood, department: works, keywords: [banjir]}
`
	ledger = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintLedger
metadata: {name: ledger}
`
)

// clockPatch is a patch of the SLA's only rule to one clock.
func clockPatch(clock string) string {
	return "spec: {rules: [{name: all, clocks: [" + clock + "]}]}"
}

func restPatch(member string) string { return "spec: {source: {rest: {" + member + "}}}" }

func hookPatch(member string) string { return "spec: {source: {webhook: {" + member + "}}}" }

func xPatch(member string) string { return "spec: {source: {x: {" + member + "}}}" }

func chatPatch(member string) string { return "spec: {source: {whatsapp: {" + member + "}}}" }

func metaPatch(member string) string { return "spec: {source: {meta: {" + member + "}}}" }

func telegramPatch(member string) string { return "spec: {source: {telegram: {" + member + "}}}" }

func eventPatch(event string) string { return restPatch("mapping: {events: [" + event + "]}") }

func weeklyPatch(weekly string) string { return "spec: {weekly: " + weekly + "}" }

func goodManifests() map[string]badManifest {
	all := goodSMS()
	maps.Copy(all, goodEmail())
	maps.Copy(all, goodFiles())
	maps.Copy(all, map[string]badManifest{
		"a polled channel":   {manifest: channel},
		"a pushed channel":   {manifest: webhook},
		"an Open311 channel": {manifest: open311},
		"an account on X":    {manifest: xAccount},
		"an account on X with a webhook and many workers": {manifest: xAccount, patch: `spec: {worker: {replicas: 3}, source: {x: {webhook: {consumerSecretSecretRefs: [{name: x, key: secret}]}}}}`},
		"a bot on Telegram":                           {manifest: telegramBot},
		"a bot on Telegram with a group of the staff": {manifest: telegramBot, patch: telegramPatch(`staffGroupID: "-1001234567890"`)},
		"a WhatsApp channel":                          {manifest: whatsapp},
		"a WhatsApp channel that may answer":          {manifest: whatsapp, patch: chatPatch(`reply: {accessTokenSecretRef: {name: a, key: b}, template: {name: kabar_laporan}}`)},
		"an account on X that may answer":             {manifest: xAccount, patch: xPatch(`reply: {consumerKeySecretRef: {name: a, key: a}, consumerSecretSecretRef: {name: a, key: b}, accessTokenSecretRef: {name: a, key: c}, accessTokenSecretSecretRef: {name: a, key: d}}`)},
		"a Page that may answer":                      {manifest: metaPage, patch: metaPatch(`reply: {}`)},
		"a bot on Telegram that may answer":           {manifest: telegramBot, patch: telegramPatch(`reply: {}`)},
		"a WhatsApp channel with many workers":        {manifest: whatsapp, patch: `spec: {worker: {replicas: 8}}`},
		"a bot with a webhook and many workers":       {manifest: telegramBot, patch: `spec: {worker: {replicas: 3}, source: {telegram: {webhook: {secretTokenSecretRefs: [{name: bot, key: secret}]}}}}`},
		"a Facebook Page":                             {manifest: metaPage},
		"a Facebook Page with many workers":           {manifest: metaPage, patch: `spec: {worker: {replicas: 8}}`},
		"an Instagram account":                        {manifest: metaPage, patch: metaPatch(`pageID: null, instagramAccountID: "17841400000000001", url: "https://graph.instagram.com"`)},
		"an SLA":                                      {manifest: sla},
		"a calendar":                                  {manifest: calendar},
		"a taxonomy":                                  {manifest: taxonomy},
		"a ledger without a spec":                     {manifest: ledger},
		"a night shift past midnight": {
			manifest: calendar, patch: weeklyPatch(`[{days: [Saturday, Sunday], hours: [{start: "22:00", end: "06:00"}]}]`),
		},
		"around the clock": {
			manifest: calendar, patch: weeklyPatch(`[{days: [Monday], hours: [{start: "00:00", end: "24:00"}]}]`),
		},
		"a webhook that trusts anybody when that is spelled out": {
			manifest: webhook, patch: hookPatch(`verification: {type: None, hmac: null}`),
		},
		"a URL with an @ in its query":            {manifest: channel, patch: restPatch(`url: "https://portal.example.org?by=desk@depok.example"`)},
		"a body of a POST":                        {manifest: channel, patch: restPatch(`method: POST, body: "{'since': string(since)}"`)},
		"a promise for some and one for the rest": {manifest: sla, patch: `spec: {rules: [{name: some, match: complaint.official}, {name: others}]}`},
		"a webhook with several replicas":         {manifest: webhook, patch: `spec: {worker: {replicas: 3}}`},
		"a warning as long as its target": {
			manifest: sla, patch: clockPatch(`{name: a, measures: FirstAnswer, warnBefore: 24h, target: {within: 24h}}`),
		},
		"timestamps in the header of the signature": {
			manifest: webhook,
			patch:    hookPatch(`verification: {hmac: {signedContent: "{timestamp}.{body}", timestampField: t, signatureField: s}}`),
		},
	})
	return all
}

func badManifests() map[string]badManifest {
	all := map[string]badManifest{}
	for _, part := range []map[string]badManifest{badChannels(), badHooks(), badSMS(), badEmail(), badFiles(), badSLAs(), badCalendars(), badTaxonomies(), badLedgers()} {
		maps.Copy(all, part)
	}
	return all
}

func badChannels() map[string]badManifest {
	return map[string]badManifest{
		"a channel without a source":                {channel, `spec: {source: null}`, "spec.source"},
		"a source type that does not exist":         {channel, `spec: {source: {type: fax}}`, `supported values: "rest", "webhook", "open311"`},
		"a source without its member":               {channel, `spec: {source: {rest: null}}`, "rest must be set when type is rest, and only then"},
		"a source with another type's member":       {channel, `spec: {source: {open311: {url: "https://a.example"}}}`, "open311 must be set when type is open311, and only then"},
		"a field that does not exist":               {channel, `spec: {source: {rest: {urls: x}}}`, `unknown field "spec.source.rest.urls"`},
		"a channel's name in capitals with dots":    {channel, `metadata: {name: a.b}`, "lower-case letters, digits and '-', at most 40 characters"},
		"a channel's name with a first digit":       {channel, `metadata: {name: "112"}`, "a letter first"},
		"a channel's name of 41 characters":         {channel, `metadata: {name: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa}`, "at most 40 characters"},
		"a URL without a scheme":                    {channel, restPatch(`url: portal.example.org`), "must be an absolute URL that starts with https:// or http://"},
		"a URL of another scheme":                   {channel, restPatch(`url: "ftp://portal.example.org"`), "must be an absolute URL that starts with https:// or http://"},
		"credentials in a URL":                      {channel, restPatch(`url: "https://me:secret@portal.example.org"`), "must not carry credentials; use auth"},
		"credentials in a URL in capitals":          {channel, restPatch(`url: "HTTPS://me:secret@portal.example.org"`), "must not carry credentials; use auth"},
		"a body that a GET would not send":          {channel, restPatch(`body: "{'since': string(since)}"`), "body goes with method POST only"},
		"a prefix of a key in the query":            {channel, restPatch(`auth: {type: APIKey, apiKey: {queryParameter: k, prefix: "Token ", keySecretRef: {name: a, key: b}}}`), "prefix goes with header only"},
		"a mapping in which no complaint begins":    {channel, eventPatch(`{kind: CitizenMessage, at: item.a}`), "at least one rule must be of kind Received, or no complaint ever begins"},
		"an Open311 URL with credentials":           {open311, `spec: {source: {open311: {url: "https://me:x@a.example"}}}`, "must not carry credentials"},
		"a method that changes things":              {channel, restPatch(`method: DELETE`), `supported values: "GET", "POST"`},
		"a token in a header of the request":        {channel, restPatch(`headers: [{name: Authorization, value: "Bearer x"}]`), "credentials belong into auth"},
		"a parameter with value and expression":     {channel, restPatch(`query: [{name: a, value: b, expression: "'c'"}]`), "exactly one of value and expression must be set"},
		"a parameter with neither":                  {channel, restPatch(`query: [{name: a}]`), "exactly one of value and expression must be set"},
		"a parameter twice":                         {channel, restPatch(`query: [{name: a, value: b}, {name: a, value: c}]`), "Duplicate value"},
		"a header's name with a space":              {channel, restPatch(`headers: [{name: "X Y", value: b}]`), "printable ASCII without spaces and colons"},
		"an authentication without its member":      {channel, restPatch(`auth: {type: Basic}`), "basic must be set when type is Basic, and only then"},
		"an authentication that does not exist":     {channel, restPatch(`auth: {type: Digest}`), "supported values"},
		"a bearer token in plain sight":             {channel, restPatch(`auth: {type: Bearer, bearer: {token: x}}`), `unknown field "spec.source.rest.auth.bearer.token"`},
		"a Secret's name with a slash":              {channel, restPatch(`auth: {type: Bearer, bearer: {tokenSecretRef: {name: a/b, key: k}}}`), "must be the name of a Secret"},
		"a Secret's key that climbs":                {channel, restPatch(`auth: {type: Bearer, bearer: {tokenSecretRef: {name: a, key: ".."}}}`), "must be a key of a Secret"},
		"an API key in two places":                  {channel, restPatch(`auth: {type: APIKey, apiKey: {header: X, queryParameter: k, keySecretRef: {name: a, key: b}}}`), "exactly one of header and queryParameter must be set"},
		"a cursor without where to find it":         {channel, restPatch(`pagination: {type: Cursor, parameter: c}`), "next must be set when type is Cursor, and only then"},
		"pages without the name of their parameter": {channel, restPatch(`pagination: {type: Page}`), "parameter must be set unless type is Link"},
		"links with a parameter":                    {channel, restPatch(`pagination: {type: Link, parameter: p}`), "parameter must be set unless type is Link"},
		"offsets with a first page":                 {channel, restPatch(`pagination: {type: Offset, parameter: o, first: 0}`), "first goes with type Page only"},
		"a page's size without a number":            {channel, restPatch(`pagination: {type: Page, parameter: p, sizeParameter: s}`), "size must be set with sizeParameter"},
		"polling without a pause":                   {channel, restPatch(`polling: {interval: 10ms}`), "must be between 1s and 24h"},
		"an interval in words":                      {channel, restPatch(`polling: {interval: soon}`), "spec.source.rest.polling.interval"},
		"a negative overlap":                        {channel, restPatch(`polling: {overlap: -5m}`), "must not be negative"},
		"no requests a minute":                      {channel, restPatch(`polling: {requestsPerMinute: 0}`), "should be greater than or equal to 1"},
		"a mapping without a case":                  {channel, restPatch(`mapping: {caseID: null}`), "spec.source.rest.mapping.caseID"},
		"a mapping without events":                  {channel, restPatch(`mapping: {events: []}`), "should have at least 1 items"},
		"an event kind that does not exist":         {channel, eventPatch(`{kind: Liked, at: item.a}`), "supported values"},
		"an event without a time":                   {channel, eventPatch(`{kind: Received}`), "at"},
		"a status change to nowhere":                {channel, eventPatch(`{kind: StatusChanged, at: item.a}`), "to must be set when kind is StatusChanged, and only then"},
		"a status on an answer":                     {channel, eventPatch(`{kind: Answered, at: item.a, to: "'Open'"}`), "to must be set when kind is StatusChanged, and only then"},
		"a merge into nothing":                      {channel, eventPatch(`{kind: Merged, at: item.a}`), "into must be set when kind is Merged, and only then"},
		"an actor given twice":                      {channel, eventPatch(`{kind: Answered, at: item.a, actor: bot, actorExpression: item.b}`), "only one of actor and actorExpression may be set"},
		"an actor that does not exist":              {channel, eventPatch(`{kind: Answered, at: item.a, actor: mayor}`), `supported values: "citizen", "official", "bot", "system"`},
		"a reporter by nothing":                     {channel, restPatch(`mapping: {reporter: {}}`), "at least one of phone, email and handle must be set"},
		"two readers of a polled source":            {channel, `spec: {worker: {replicas: 2}}`, "a source that is polled has one reader"},
		"more workers than anybody needs":           {webhook, `spec: {worker: {replicas: 33}}`, "should be less than or equal to 32"},
		"a time zone by its offset":                 {channel, `spec: {assumeTimeZone: UTC+7}`, "must be an IANA time zone such as Asia/Jakarta"},
		"a reference without a name":                {channel, `spec: {slaRef: {name: ""}}`, "should be at least 1 chars"},
		"a reference to another namespace":          {channel, `spec: {slaRef: {name: a, namespace: b}}`, `unknown field "spec.slaRef.namespace"`},
		"a reference that is no name":               {channel, `spec: {slaRef: {name: A_B}}`, "must be the name of an object"},
		"an Open311 format that does not exist":     {open311, `spec: {source: {open311: {format: CSV}}}`, `supported values: "JSON", "XML"`},
		"an account on X by its name":               {xAccount, xPatch(`userID: "@pemkotdepok"`), "must be the numeric id of an account, in quotes, not its @name"},
		"answers on X with half of the keys":        {xAccount, xPatch(`reply: {consumerKeySecretRef: {name: a, key: a}}`), "spec.source.x.reply.accessTokenSecretRef"},
		"an account on X as a number":               {xAccount, xPatch(`userID: 2244994945`), "spec.source.x.userID"},
		"an account on X without an id":             {xAccount, xPatch(`userID: null`), "spec.source.x.userID"},
		"an account on X without a token":           {xAccount, xPatch(`bearerTokenSecretRef: null`), "spec.source.x.bearerTokenSecretRef"},
		"an account on X among its departments":     {xAccount, xPatch(`agencyUserIDs: ["1", "2244994945"]`), "agencyUserIDs: names further accounts"},
		"a department's account twice":              {xAccount, xPatch(`agencyUserIDs: ["1", "1"]`), "Duplicate value"},
		"a department's account by its name":        {xAccount, xPatch(`agencyUserIDs: ["@dlhk"]`), "must be the numeric id of an account, in quotes, not its @name"},
		"X at no URL":                               {xAccount, xPatch(`url: api.x.com`), "must be an absolute URL"},
		"X with the member of another":              {xAccount, `spec: {source: {open311: {url: "https://a.example"}}}`, "open311 must be set when type is open311, and only then"},
		"X without its member":                      {xAccount, `spec: {source: {x: null}}`, "x must be set when type is x, and only then"},
		"posts that nobody signed":                  {xAccount, xPatch(`webhook: {consumerSecretSecretRefs: []}`), "should have at least 1 items"},
		"a webhook of X without a secret":           {xAccount, xPatch(`webhook: {}`), "spec.source.x.webhook.consumerSecretSecretRefs"},
		"five consumer secrets":                     {xAccount, xPatch(`webhook: {consumerSecretSecretRefs: [{name: a, key: a}, {name: a, key: b}, {name: a, key: c}, {name: a, key: d}, {name: a, key: e}]}`), "must have at most 4 items"},
		"X asked all the time beside a webhook":     {xAccount, xPatch(`webhook: {checkInterval: 1s, consumerSecretSecretRefs: [{name: a, key: a}]}`), "must be between 1m and 24h"},
		"two readers of an account on X":            {xAccount, `spec: {worker: {replicas: 2}}`, "a source that is polled has one reader"},
		"a bot on Telegram without a token":         {telegramBot, telegramPatch(`botTokenSecretRef: null`), "spec.source.telegram.botTokenSecretRef"},
		"a token instead of a reference":            {telegramBot, telegramPatch(`botToken: "123456:abc"`), `unknown field "spec.source.telegram.botToken"`},
		"a group on Telegram by its name":           {telegramBot, telegramPatch(`staffGroupID: "@meja"`), "must be the numeric id of a group, in quotes, which begins with a minus"},
		"a group on Telegram by a person's id":      {telegramBot, telegramPatch(`staffGroupID: "5501"`), "must be the numeric id of a group, in quotes, which begins with a minus"},
		"a case of a second on Telegram":            {telegramBot, telegramPatch(`caseWindow: 1s`), "must be between 1m and 744h"},
		"Telegram at no URL":                        {telegramBot, telegramPatch(`url: api.telegram.org`), "must be an absolute URL"},
		"Telegram without its member":               {telegramBot, `spec: {source: {telegram: null}}`, "telegram must be set when type is telegram, and only then"},
		"updates from anybody":                      {telegramBot, telegramPatch(`webhook: {secretTokenSecretRefs: []}`), "should have at least 1 items"},
		"a webhook without a secret token":          {telegramBot, telegramPatch(`webhook: {}`), "spec.source.telegram.webhook.secretTokenSecretRefs"},
		"a secret token instead of a reference":     {telegramBot, telegramPatch(`webhook: {secretToken: x, secretTokenSecretRefs: [{name: a, key: a}]}`), `unknown field "spec.source.telegram.webhook.secretToken"`},
		"a webhook that is checked all the time":    {telegramBot, telegramPatch(`webhook: {checkInterval: 1s, secretTokenSecretRefs: [{name: a, key: a}]}`), "must be between 10s and 24h"},
		"updates without room":                      {telegramBot, telegramPatch(`webhook: {maxBodyBytes: 10, secretTokenSecretRefs: [{name: a, key: a}]}`), "should be greater than or equal to 65536"},
		"two readers of a bot on Telegram":          {telegramBot, `spec: {worker: {replicas: 2}}`, "a source that is polled has one reader"},
		"open requests asked for in a loop":         {open311, `spec: {source: {open311: {recheckInterval: 0s}}}`, "must be between 1s and 168h"},
	}
}

func badHooks() map[string]badManifest {
	return map[string]badManifest{
		"a webhook that says nothing of its sender":  {webhook, hookPatch(`verification: null`), "spec.source.webhook.verification"},
		"a verification without its member":          {webhook, hookPatch(`verification: {hmac: null}`), "hmac must be set when type is HMAC, and only then"},
		"no verification with a leftover of another": {webhook, hookPatch(`verification: {type: None}`), "hmac must be set when type is HMAC, and only then"},
		"a signature without a secret":               {webhook, hookPatch(`verification: {hmac: {secretRefs: []}}`), "should have at least 1 items"},
		"five secrets":                               {webhook, hookPatch(`verification: {hmac: {secretRefs: [{name: a, key: a}, {name: a, key: b}, {name: a, key: c}, {name: a, key: d}, {name: a, key: e}]}}`), "must have at most 4 items"},
		"a hash that is broken":                      {webhook, hookPatch(`verification: {hmac: {algorithm: MD5}}`), "supported values"},
		"signed content without the body":            {webhook, hookPatch(`verification: {hmac: {signedContent: "{timestamp}", timestampHeader: T}}`), "must end with {body}"},
		"a signed timestamp from nowhere":            {webhook, hookPatch(`verification: {hmac: {signedContent: "{timestamp}.{body}"}}`), "timestampHeader or timestampField must be set"},
		"a signed id from nowhere":                   {webhook, hookPatch(`verification: {hmac: {signedContent: "{id}.{body}"}}`), "idHeader must be set"},
		"a timestamp that is not signed":             {webhook, hookPatch(`verification: {hmac: {timestampHeader: T}}`), "signedContent must have {timestamp}"},
		"a timestamp in two places":                  {webhook, hookPatch(`verification: {hmac: {signedContent: "{timestamp}.{body}", timestampHeader: T, timestampField: t, signatureField: s}}`), "only one of timestampHeader and timestampField may be set"},
		"half of a composite header":                 {webhook, hookPatch(`verification: {hmac: {timestampField: t}}`), "timestampField and signatureField must be set together"},
		"a replay window of a week":                  {webhook, hookPatch(`verification: {hmac: {tolerance: 168h}}`), "must be between 1s and 24h"},
		"a WhatsApp channel without its member":      {whatsapp, `spec: {source: {whatsapp: null}}`, "whatsapp must be set when type is whatsapp, and only then"},
		"a webhook with WhatsApp's member":           {webhook, chatPatch(`appSecretSecretRefs: [{name: a, key: a}], verifyTokenSecretRef: {name: a, key: b}, phoneNumberIDs: ["1"]`), "whatsapp must be set when type is whatsapp, and only then"},
		"answers without an access token":            {whatsapp, chatPatch(`reply: {}`), "spec.source.whatsapp.reply.accessTokenSecretRef"},
		"a template by its title":                    {whatsapp, chatPatch(`reply: {accessTokenSecretRef: {name: a, key: b}, template: {name: "Kabar laporan"}}`), "must be the name of a template as Meta shows it"},
		"a template in a language by its name":       {whatsapp, chatPatch(`reply: {accessTokenSecretRef: {name: a, key: b}, template: {name: kabar, language: Indonesian}}`), "must be a language code such as id or en_US"},
		"messages that nobody signed":                {whatsapp, chatPatch(`appSecretSecretRefs: []`), "should have at least 1 items"},
		"five app secrets":                           {whatsapp, chatPatch(`appSecretSecretRefs: [{name: a, key: a}, {name: a, key: b}, {name: a, key: c}, {name: a, key: d}, {name: a, key: e}]`), "must have at most 4 items"},
		"a handshake without a token":                {whatsapp, chatPatch(`verifyTokenSecretRef: null`), "spec.source.whatsapp.verifyTokenSecretRef"},
		"messages to no number":                      {whatsapp, chatPatch(`phoneNumberIDs: []`), "should have at least 1 items"},
		"a phone number for its id":                  {whatsapp, chatPatch(`phoneNumberIDs: ["+62 21 2940 2200"]`), "must be the id of a phone number as Meta's console shows it"},
		"a number's id twice":                        {whatsapp, chatPatch(`phoneNumberIDs: ["1", "1"]`), "Duplicate value"},
		"cases of a second":                          {whatsapp, chatPatch(`caseWindow: 1s`), "must be between 1m and 744h"},
		"deliveries that are a day late":             {whatsapp, chatPatch(`usualDelay: 25h`), "must be between 0s and 24h"},
		"less than Meta sends at once":               {whatsapp, chatPatch(`maxBodyBytes: 262144`), "should be greater than or equal to 3145728"},
		"a Meta channel without its member":          {metaPage, `spec: {source: {meta: null}}`, "meta must be set when type is meta, and only then"},
		"a webhook with Meta's member":               {webhook, metaPatch(`appID: "1", pageID: "1", appSecretSecretRefs: [{name: a, key: a}], verifyTokenSecretRef: {name: a, key: b}, accessTokenSecretRef: {name: a, key: c}`), "meta must be set when type is meta, and only then"},
		"neither a Page nor an account":              {metaPage, metaPatch(`pageID: null`), "pageID, instagramAccountID or both must be set"},
		"a Page by its name":                         {metaPage, metaPatch(`pageID: pemkotdepok`), "must be an id as Meta's tools show it: digits only, in quotes, not a name"},
		"no app of Meta":                             {metaPage, metaPatch(`appID: null`), "spec.source.meta.appID"},
		"comments that nobody signed":                {metaPage, metaPatch(`appSecretSecretRefs: []`), "should have at least 1 items"},
		"a Page that nobody may read":                {metaPage, metaPatch(`accessTokenSecretRef: null`), "spec.source.meta.accessTokenSecretRef"},
		"a version of the Graph API by a number":     {metaPage, metaPatch(`version: "26.0"`), "must be a version of the Graph API such as v26.0"},
		"an access token instead of a reference":     {metaPage, metaPatch(`accessToken: EAAB`), `unknown field "spec.source.meta.accessToken"`},
		"a Page that is read all the time":           {metaPage, metaPatch(`reconcile: {interval: 1s}`), "must be between 1m and 24h"},
		"a Page that is read for the last minute":    {metaPage, metaPatch(`reconcile: {lookback: 1m}`), "must be between 1h and 8784h"},
		"a bot twice":                                {metaPage, metaPatch(`botAppIDs: ["1", "1"]`), "Duplicate value"},
		"a body without bounds":                      {webhook, hookPatch(`maxBodyBytes: 1000000000`), "should be less than or equal to 4194304"},
	}
}

func badSLAs() map[string]badManifest {
	return map[string]badManifest{
		"an SLA without rules":                          {sla, `spec: {rules: []}`, "should have at least 1 items"},
		"a rule that is never tried":                    {sla, `spec: {rules: [{name: all}, {name: some, match: complaint.official}]}`, "must be the last one, as those after it would never be tried"},
		"two rules that match everything":               {sla, `spec: {rules: [{name: all}, {name: others}]}`, "must be the last one, as those after it would never be tried"},
		"an SLA's name that no channel can refer to":    {sla, `metadata: {name: city.v2}`, "metadata.name: lower-case letters, digits and '-', at most 63 characters"},
		"two rules of one name":                         {sla, `spec: {rules: [{name: a, clocks: []}, {name: a, clocks: []}]}`, "Duplicate value"},
		"two clocks of one name":                        {sla, clockPatch(`{name: a, measures: FirstAnswer, target: {within: 1h}}, {name: a, measures: FirstAnswer, target: {within: 1h}}`), "Duplicate value"},
		"a measure that does not exist":                 {sla, clockPatch(`{name: a, measures: Mood, target: {within: 1h}}`), "supported values"},
		"a clock without a target":                      {sla, clockPatch(`{name: a, measures: FirstAnswer}`), "target"},
		"a target in two measures":                      {sla, clockPatch(`{name: a, measures: FirstAnswer, target: {within: 1h, workingDays: 1}}`), "exactly one of within, workingTime and workingDays must be set"},
		"a target in none":                              {sla, clockPatch(`{name: a, measures: FirstAnswer, target: {}}`), "exactly one of within, workingTime and workingDays must be set"},
		"a target of no time":                           {sla, clockPatch(`{name: a, measures: FirstAnswer, target: {within: 0s}}`), "must be longer than 0s"},
		"a target in calendar days":                     {sla, clockPatch(`{name: a, measures: FirstAnswer, target: {within: 3d}}`), "within"},
		"a target of no working days":                   {sla, clockPatch(`{name: a, measures: FirstAnswer, target: {workingDays: 0}}`), "should be greater than or equal to 1"},
		"day one of a wall-clock target":                {sla, clockPatch(`{name: a, measures: FirstAnswer, target: {within: 1h, dayOne: SameDay}}`), "dayOne goes with workingDays only"},
		"the end of the day of a wall-clock target":     {sla, clockPatch(`{name: a, measures: FirstAnswer, target: {within: 1h, dueAt: EndOfDay}}`), "dueAt goes with workingDays only"},
		"a warning longer than a wall-clock target":     {sla, clockPatch(`{name: a, measures: FirstAnswer, warnBefore: 2h, target: {within: 1h}}`), "warnBefore must not be longer than the target"},
		"a warning longer than a working-time target":   {sla, clockPatch(`{name: a, measures: FirstAnswer, warnBefore: 9h, target: {workingTime: 8h}}`), "warnBefore must not be longer than the target"},
		"a warning of more than the whole":              {sla, clockPatch(`{name: a, measures: FirstAnswer, warnBefore: "101%", target: {within: 1h}}`), "must be a percentage from 1% to 100% or a duration such as 30m"},
		"a pause for any status":                        {sla, clockPatch(`{name: a, measures: FirstAnswer, pauseWhile: [Open], target: {within: 1h}}`), `supported values: "AwaitingCitizen", "AwaitingThirdParty"`},
		"a next reply that starts on assignment":        {sla, clockPatch(`{name: a, measures: NextReply, startsOn: Assigned, target: {within: 1h}}`), "a NextReply clock starts at the citizen's message"},
		"a resolution that may count as its own answer": {sla, clockPatch(`{name: a, measures: TotalResolution, resolvedCountsAsAnswer: true, target: {within: 1h}}`), "only a FirstAnswer clock has it"},
		"a clock's name that is no label value":         {sla, clockPatch(`{name: "first answer", measures: FirstAnswer, target: {within: 1h}}`), "must start with a letter"},
		"an objective above one":                        {sla, `spec: {objective: {ratio: "1.5", window: 720h}}`, "must be a decimal above 0 and at most 1"},
		"an objective in per cent":                      {sla, `spec: {objective: {ratio: "95%", window: 720h}}`, "must be a decimal above 0 and at most 1"},
		"an objective over a minute":                    {sla, `spec: {objective: {ratio: "0.95", window: 1m}}`, "must be between 1h and 8784h"},
		"citizens who answer themselves":                {sla, `spec: {answeredBy: [citizen]}`, `supported values: "official", "bot", "system"`},
		"an acknowledgement without a rule":             {sla, `spec: {acknowledgement: {}}`, "acknowledgement.match"},
		"an instant without a time":                     {sla, `spec: {enforceFrom: "2026-01-01"}`, "enforceFrom"},
	}
}

func badCalendars() map[string]badManifest {
	return map[string]badManifest{
		"a calendar without a zone":            {calendar, `spec: {timeZone: null}`, "spec.timeZone"},
		"a calendar's name with a dot":         {calendar, `metadata: {name: office.2026}`, "metadata.name: lower-case letters, digits and '-', at most 63 characters"},
		"a calendar with an abbreviation":      {calendar, `spec: {timeZone: WIB}`, "must be an IANA time zone such as Asia/Jakarta"},
		"a calendar with an offset":            {calendar, `spec: {timeZone: "+07:00"}`, "must be an IANA time zone such as Asia/Jakarta"},
		"a calendar that is never open":        {calendar, weeklyPatch(`[]`), "a calendar needs at least one open day"},
		"a day in two entries":                 {calendar, weeklyPatch(`[{days: [Monday], hours: [{start: "08:00", end: "09:00"}]}, {days: [Monday], hours: [{start: "10:00", end: "11:00"}]}]`), "each day of the week may stand in one entry only"},
		"a day that does not exist":            {calendar, weeklyPatch(`[{days: [Senin], hours: [{start: "08:00", end: "09:00"}]}]`), "supported values"},
		"a day without hours":                  {calendar, weeklyPatch(`[{days: [Monday], hours: []}]`), "should have at least 1 items"},
		"an opening at 24:00":                  {calendar, weeklyPatch(`[{days: [Monday], hours: [{start: "24:00", end: "09:00"}]}]`), "must be a time of day from 00:00 to 23:59"},
		"a closing at 25:00":                   {calendar, weeklyPatch(`[{days: [Monday], hours: [{start: "08:00", end: "25:00"}]}]`), "must be a time of day from 00:00 to 24:00"},
		"a time without its minutes":           {calendar, weeklyPatch(`[{days: [Monday], hours: [{start: "8am", end: "09:00"}]}]`), "start"},
		"a holiday on the 30th of February":    {calendar, `spec: {holidays: [{date: "2026-02-30"}]}`, "must be of type date"},
		"a holiday written the Indonesian way": {calendar, `spec: {holidays: [{date: "17-08-2026"}]}`, "must be of type date"},
		"a holiday twice":                      {calendar, `spec: {holidays: [{date: "2026-01-01"}, {date: "2026-01-01"}]}`, "Duplicate value"},
		"a season that ends before it begins":  {calendar, `spec: {seasons: [{name: a, from: "2026-02-02", to: "2026-02-01", weekly: [{days: [Monday], hours: [{start: "08:00", end: "09:00"}]}]}]}`, "from must not be after to"},
		"seasons that overlap":                 {calendar, `spec: {seasons: [{name: a, from: "2026-02-01", to: "2026-02-10", weekly: [{days: [Monday], hours: [{start: "08:00", end: "09:00"}]}]}, {name: b, from: "2026-02-10", to: "2026-02-12", weekly: [{days: [Monday], hours: [{start: "08:00", end: "09:00"}]}]}]}`, "seasons must not overlap"},
		"coverage until some day":              {calendar, `spec: {coversUntil: "end of 2026"}`, "spec.coversUntil"},
	}
}

func badTaxonomies() map[string]badManifest {
	return map[string]badManifest{
		"a taxonomy without categories":       {taxonomy, `spec: {categories: []}`, "should have at least 1 items"},
		"a taxonomy's name with a dot":        {taxonomy, `metadata: {name: city.v2}`, "metadata.name: lower-case letters, digits and '-', at most 63 characters"},
		"a category of an unknown department": {taxonomy, `spec: {categories: [{name: a, department: army, keywords: [x]}]}`, "every department that a category names must stand in departments"},
		"a category nothing falls into":       {taxonomy, `spec: {categories: [{name: a}]}`, "a category needs keywords, match or sourceValues"},
		"a category that is no label value":   {taxonomy, `spec: {categories: [{name: Banjir Besar, keywords: [x]}]}`, "must have lower-case letters, digits and '-' only"},
		"a category twice":                    {taxonomy, `spec: {categories: [{name: a, keywords: [x]}, {name: a, keywords: [y]}]}`, "Duplicate value"},
		"an empty keyword":                    {taxonomy, `spec: {categories: [{name: a, keywords: [""]}]}`, "should be at least 1 chars"},
		"a priority nothing gets":             {taxonomy, `spec: {priorities: [{name: high}]}`, "a priority needs keywords, match or sourceValues"},
	}
}

func badLedgers() map[string]badManifest {
	return map[string]badManifest{
		"a storage that does not exist":      {ledger, `spec: {storage: {type: paper}}`, "supported values"},
		"a database that is not named":       {ledger, `spec: {storage: {type: postgres}}`, "postgres: is needed with type postgres"},
		"a database besides a volume":        {ledger, `spec: {storage: {type: embedded, postgres: {urlSecretRef: {name: db, key: url}}}}`, "postgres: is needed with type postgres, and goes with no other"},
		"a volume besides a database":        {ledger, `spec: {storage: {type: postgres, embedded: {size: 1Gi}, postgres: {urlSecretRef: {name: db, key: url}}}}`, "embedded: goes with type embedded only"},
		"a database without credentials":     {ledger, `spec: {storage: {type: postgres, postgres: {replicas: 2}}}`, "urlSecretRef"},
		"a database's URL in the clear":      {ledger, `spec: {storage: {type: postgres, postgres: {urlSecretRef: "postgres://db"}}}`, "urlSecretRef"},
		"a ledger without a replica":         {ledger, `spec: {storage: {type: postgres, postgres: {urlSecretRef: {name: db, key: url}, replicas: 0}}}`, "greater than or equal to 1"},
		"a silence of an hour":               {ledger, `spec: {retention: {idle: 1h}}`, "must be between 24h and 87840h"},
		"a volume of a few bytes":            {ledger, `spec: {storage: {type: embedded, embedded: {size: "10"}}}`, "must be at least 100Mi"},
		"a volume of some size":              {ledger, `spec: {storage: {type: embedded, embedded: {size: much}}}`, "spec.storage.embedded.size"},
		"texts kept for a minute":            {ledger, `spec: {retention: {content: 1m}}`, "must be between 1h and 87840h"},
		"links over no time":                 {ledger, `spec: {linking: {window: 0s}}`, "must be longer than 0s"},
		"a ledger's name with a dot":         {ledger, `metadata: {name: a.b}`, "at most 40 characters, as names of Services derive from it"},
		"a ledger's name with a first digit": {ledger, `metadata: {name: 1st}`, "a letter, then letters, digits"},
	}
}
