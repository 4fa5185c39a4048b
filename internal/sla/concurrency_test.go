package sla

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAPolicyServesManyAtOnce(t *testing.T) {
	p := compile(t, office(t), Spec{
		Acknowledgement: &Acknowledgement{Match: `event.text.contains("terima kasih")`},
		Rules:           []Rule{{Name: "all", Match: `complaint.channel == "dsw"`, Clocks: threeClocks().Rules[0].Clocks}},
	})
	in := eightEvents(t)
	in.Subject.Channel = "dsw"
	want := p.Evaluate(in)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				if diff := cmp.Diff(want, p.Evaluate(in)); diff != "" {
					t.Error(diff)
					return
				}
				p.Explain(in, nil)
			}
		})
	}
	group.Wait()
}
