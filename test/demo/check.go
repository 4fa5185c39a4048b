package main

import (
	"context"
	"fmt"
	"time"

	"github.com/tanggap/tanggap/test/compare"
)

// settling is how long what is shown may take to become what is true, once nothing new arrives: a poll, a
// recheck of the open requests, and a status write, which may be half a minute late by design.
const settling = 75 * time.Second

// check ends the arrival of complaints and compares what is shown with what the city knows to be true.
func (d *demo) check(ctx context.Context) error {
	if err := compare.Quiet(ctx, d.cluster); err != nil {
		return err
	}
	fmt.Fprintln(d.out, "\nComparing what is shown with what is true")
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	for {
		err := compare.City(ctx, d.cluster, namespace)
		if err == nil {
			fmt.Fprintln(d.out, "Everything shown is right.")
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("what is shown is wrong:\n%w", err)
		case <-time.After(time.Second):
		}
	}
}
