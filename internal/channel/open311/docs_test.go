package open311

import (
	"testing"
	"time"

	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
)

func TestTheManifestInTheDocumentationOpens(t *testing.T) {
	spec, credentials := channeltest.Manifest(t, "open311.md")
	source, err := Type{}.Open(channeltest.Settings(spec, channeltest.NewClock(time.Now()), nil, credentials))
	if err != nil {
		t.Fatal(err)
	}
	if got := source.(channel.Poller).Interval(); got != time.Minute {
		t.Errorf("interval %s", got)
	}
}
