package localnode

import "testing"

func TestExpandVariables(t *testing.T) {
	known := map[string]string{"POD_IP": "127.77.0.2", "EMPTY": "", "NESTED": "$(POD_IP)"}
	lookup := func(name string) (string, bool) { value, ok := known[name]; return value, ok }
	cases := map[string]struct{ text, want string }{
		"a variable":                       {"--listen=$(POD_IP):8443", "--listen=127.77.0.2:8443"},
		"an empty variable":                {"a$(EMPTY)b", "ab"},
		"an unknown variable stays":        {"$(NOBODY)/x", "$(NOBODY)/x"},
		"an escaped reference":             {"$$(POD_IP)", "$(POD_IP)"},
		"a value is not expanded again":    {"$(NESTED)", "$(POD_IP)"},
		"a reference without its end":      {"$(POD_IP", "$(POD_IP"},
		"a dollar sign alone":              {"cost: 5$", "cost: 5$"},
		"a dollar sign before a character": {"$HOME", "$HOME"},
		"two dollar signs":                 {"a$$b", "a$b"},
		"nothing":                          {"", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := expandVariables(c.text, lookup); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTranslatePaths(t *testing.T) {
	translator := newPathTranslator([]mount{
		{"/data", "/host/data"},
		{"/etc/tanggap", "/host/etc"},
		{"/etc/tanggap/credentials/", "/host/secret"},
		{"/tmp", "/tmp/node/tmp"},
		{"/", "/host/root"},
	})
	cases := map[string]struct{ text, want string }{
		"the path itself":                      {"/data", "/host/data"},
		"below the path":                       {"/data/ledger.db", "/host/data/ledger.db"},
		"after an equals sign":                 {"--config=/etc/tanggap/c.yaml", "--config=/host/etc/c.yaml"},
		"the longest path wins":                {"/etc/tanggap/credentials/x", "/host/secret/x"},
		"several paths":                        {"/data:/etc/tanggap,/tmp", "/host/data:/host/etc,/tmp/node/tmp"},
		"a trailing slash":                     {"/data/", "/host/data/"},
		"a URL without a host":                 {"file:///data/x?mode=ro", "file:///host/data/x?mode=ro"},
		"a URI of a file":                      {"file:/data/x", "file:/host/data/x"},
		"a URL's path is not a file":           {"https://example.test/data/x", "https://example.test/data/x"},
		"a longer name is another path":        {"/database", "/database"},
		"a name with a dash is another path":   {"/data-old", "/data-old"},
		"inside a longer path it is not ours":  {"/srv/data", "/srv/data"},
		"a relative path is not ours":          {"./data", "./data"},
		"what was put in is not looked at":     {"/tmp/tmp", "/tmp/node/tmp/tmp"},
		"quoted":                               {`{"dir":"/data"}`, `{"dir":"/host/data"}`},
		"the root is never replaced by itself": {"/", "/"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := translator.translate(c.text); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
