package standalone

import (
	"context"
	"sync"
	"time"
)

// Script is what happens by itself.
type Script struct {
	// PerMinute complaints arrive, evenly; 0 is none.
	PerMinute int
	// AnsweredPercent of them are answered, AnswerAfter they came, and closed, CloseAfter that. The others are
	// left alone. An AnswerAfter beyond what is promised makes answers late.
	AnsweredPercent         int
	AnswerAfter, CloseAfter time.Duration
}

// Live plays a script until the context ends. What fails is logged and left out.
func (s *Server) Live(ctx context.Context, script Script) {
	if script.PerMinute <= 0 {
		<-ctx.Done()
		return
	}
	var under sync.WaitGroup
	defer under.Wait()
	ticker := time.NewTicker(time.Minute / time.Duration(script.PerMinute))
	defer ticker.Stop()
	for i := 0; ctx.Err() == nil; {
		if !s.paused.Load() {
			serial := i
			under.Go(func() { s.live(ctx, script, serial) })
			i++
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}

// answered reports whether the complaint is answered: of any hundred in a row as many as the script says,
// spread evenly.
func (s Script) answered(serial int) bool {
	return (serial+1)*s.AnsweredPercent/100 > serial*s.AnsweredPercent/100
}

// live is one complaint.
func (s *Server) live(ctx context.Context, script Script, serial int) {
	id, err := s.Complain(ctx, "", serial)
	if err != nil {
		s.fail(ctx, "Could not deliver a complaint", err)
		return
	}
	if !script.answered(serial) || !pause(ctx, script.AnswerAfter) {
		return
	}
	if err := s.Answer(ctx, id, ""); err != nil {
		s.fail(ctx, "Could not deliver an answer", err)
		return
	}
	if s.system.Close == nil || !pause(ctx, script.CloseAfter) {
		return
	}
	if err := s.Close(ctx, id); err != nil {
		s.fail(ctx, "Could not deliver an end", err)
	}
}

func (s *Server) fail(ctx context.Context, message string, err error) {
	if ctx.Err() == nil {
		s.log.Warn("Left something out", "what", message, "error", err.Error())
	}
}

// pause waits and reports whether there is still time.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
