package channel

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

type place struct {
	Account string `json:"account"`
	Last    int    `json:"last,omitempty"`
}

func TestASavedCursorIsUsedOnlyWhereItIsOfTheSame(t *testing.T) {
	for name, tt := range map[string]struct {
		saved string
		want  place
		says  string
	}{
		"the very first poll":          {"", place{"city", 0}, ""},
		"what was saved":               {string(EncodeCursor(place{"city", 7})), place{"city", 7}, ""},
		"of another account":           {string(EncodeCursor(&place{"village", 7})), place{"city", 0}, "level=INFO"},
		"nothing that can be read":     {`{"account":"city","last":"banjir"}`, place{"city", 0}, "level=WARN"},
		"cut off":                      {`{"account":"city","last":7`, place{"city", 0}, "level=WARN"},
		"null, which is of no account": {`null`, place{"city", 0}, "level=INFO"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			got := OpenCursor(json.RawMessage(tt.saved), place{Account: "city"}, func(p *place) string { return p.Account }, slog.New(slog.NewTextHandler(&log, nil)))
			if got != tt.want || tt.says == "" && log.Len() > 0 || !strings.Contains(log.String(), tt.says) {
				t.Errorf("got %+v, want %+v; the log says %q", got, tt.want, log.String())
			}
			if strings.Contains(log.String(), "banjir") || strings.Contains(log.String(), "village") {
				t.Errorf("the log repeats the cursor: %s", log.String())
			}
		})
	}
}
