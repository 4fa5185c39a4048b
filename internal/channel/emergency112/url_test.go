package emergency112

import "testing"

// TestTheRestOfAURLStaysAsItIs, where the verification of the server's certificate is added.
func TestTheRestOfAURLStaysAsItIs(t *testing.T) {
	for _, query := range []string{"options=-c%20search_path%3Dreport", "options=-c%20search_path%3Dreport&sslmode=", "sslmode=verify-full&options=-c%20search_path%3Dreport"} {
		config, err := parseURL("postgres://u:p@cad.example/cad?" + query)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if got := config.RuntimeParams["options"]; got != "-c search_path=report" || config.TLSConfig == nil || config.TLSConfig.ServerName != "cad.example" {
			t.Errorf("%s: the options are %q, TLS is %v", query, got, config.TLSConfig != nil)
		}
	}
}
