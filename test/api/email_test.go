package api_test

const email = `
apiVersion: tanggap.dev/v1alpha1
kind: ComplaintChannel
metadata: {name: mail}
spec:
  source:
    type: email
    email:
      host: imap.depok.example
      usernameSecretRef: {name: mail, key: username}
      auth:
        type: Password
        password: {passwordSecretRef: {name: mail, key: password}}
      staff: {domains: [depok.example]}
`

func emailPatch(member string) string { return "spec: {source: {email: {" + member + "}}}" }

func goodEmail() map[string]badManifest {
	return map[string]badManifest{
		"a mailbox":                             {manifest: email},
		"a mailbox that may answer":             {manifest: email, patch: emailPatch(`reply: {host: smtp.depok.example, from: aduan@depok.example, fromName: Meja Aduan}`)},
		"a mailbox by STARTTLS":                 {manifest: email, patch: emailPatch(`tls: STARTTLS, port: 143, caSecretRef: {name: mail, key: ca.crt}`)},
		"a mailbox of Microsoft 365":            {manifest: email, patch: emailPatch(`auth: {type: OAuth2, password: null, oauth2: {tokenURL: "https://login.example/token", clientIDSecretRef: {name: a, key: a}, clientSecretSecretRef: {name: a, key: b}}}`)},
		"a mailbox by a token":                  {manifest: email, patch: emailPatch(`auth: {type: Bearer, password: null, bearer: {tokenSecretRef: {name: a, key: a}}}`)},
		"several mailboxes and all that can be": {manifest: email, patch: emailPatch(`mailboxes: [INBOX, Lurah], sentMailbox: Terkirim, authservID: mx.depok.example, caseTokenPrefix: DPK-, maxMessageBytes: 65536, staff: {addresses: [lurah@mail.example]}, polling: {interval: 5m, lookback: 24h, maxPages: 10}`)},
	}
}

func badEmail() map[string]badManifest {
	return map[string]badManifest{
		"e-mail without its member":             {email, `spec: {source: {email: null}}`, "email must be set when type is email, and only then"},
		"e-mail with the member of another":     {email, `spec: {source: {open311: {url: "https://a.example"}}}`, "open311 must be set when type is open311, and only then"},
		"two readers of a mailbox":              {email, `spec: {worker: {replicas: 2}}`, "a source that is polled has one reader"},
		"e-mail at a URL":                       {email, emailPatch(`host: "imaps://imap.depok.example"`), "must be the name of a host without a scheme and a port; the port has a field of its own"},
		"e-mail at a host with a port":          {email, emailPatch(`host: "imap.depok.example:993"`), "must be the name of a host without a scheme and a port; the port has a field of its own"},
		"e-mail at no port":                     {email, emailPatch(`port: 0`), "should be greater than or equal to 1"},
		"answers by mail from nobody":           {email, emailPatch(`reply: {host: smtp.depok.example}`), "spec.source.email.reply.from"},
		"answers by mail from a name":           {email, emailPatch(`reply: {host: smtp.depok.example, from: "Meja <aduan@depok.example>"}`), "must be an address in small letters, such as desk@example.org"},
		"answers by mail without encryption":    {email, emailPatch(`reply: {host: smtp.depok.example, from: aduan@depok.example, tls: None}`), `supported values: "Implicit", "STARTTLS"`},
		"e-mail without encryption":             {email, emailPatch(`tls: None`), `supported values: "Implicit", "STARTTLS"`},
		"e-mail without a user":                 {email, emailPatch(`usernameSecretRef: null`), "spec.source.email.usernameSecretRef"},
		"e-mail without a login":                {email, emailPatch(`auth: null`), "spec.source.email.auth"},
		"a password in plain sight":             {email, emailPatch(`auth: {password: {password: x}}`), `unknown field "spec.source.email.auth.password.password"`},
		"a login without its member":            {email, emailPatch(`auth: {type: OAuth2, password: null}`), "oauth2 must be set when type is OAuth2, and only then"},
		"a login with another's member":         {email, emailPatch(`auth: {bearer: {tokenSecretRef: {name: a, key: a}}}`), "bearer must be set when type is Bearer, and only then"},
		"a login that does not exist":           {email, emailPatch(`auth: {type: NTLM, password: null}`), `supported values: "Password", "Bearer", "OAuth2"`},
		"e-mail in no mailbox":                  {email, emailPatch(`mailboxes: []`), "should have at least 1 items"},
		"e-mail that nobody answers":            {email, emailPatch(`staff: {domains: null}`), "at least one of domains and addresses must be set"},
		"a staff's domain with an @":            {email, emailPatch(`staff: {domains: ["@depok.example"]}`), "must be domains in small letters, such as depok.go.id, without an @"},
		"a staff's domain in capitals":          {email, emailPatch(`staff: {domains: [Depok.example]}`), "must be domains in small letters, such as depok.go.id, without an @"},
		"a staff's domain that is a whole land": {email, emailPatch(`staff: {domains: [com]}`), "must be domains in small letters"},
		"a staff's address that is a name":      {email, emailPatch(`staff: {addresses: ["Aduan <a@depok.example>"]}`), "must be addresses in small letters, such as desk@example.org"},
		"a server's name of two words":          {email, emailPatch(`authservID: "mx.depok.example; dmarc=pass"`), "must be the first word of the header Authentication-Results"},
		"a name of a case with brackets":        {email, emailPatch(`caseTokenPrefix: "[#"`), "must have letters, digits, '_' and '-' only, as in DPK-"},
		"e-mail asked for in a loop":            {email, emailPatch(`polling: {interval: 1s}`), "must be between 5s and 24h"},
		"messages of a few bytes":               {email, emailPatch(`maxMessageBytes: 10`), "should be greater than or equal to 65536"},
	}
}
