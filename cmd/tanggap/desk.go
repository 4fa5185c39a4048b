package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tanggap/tanggap/internal/complaint"
	"github.com/tanggap/tanggap/internal/ledger/client"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

// deskFlags say how the city's desk reaches a ledger.
type deskFlags struct {
	ledger, name, ca, token string
	channel                 string
	output                  string
}

func (f *deskFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.ledger, "ledger", "https://localhost:8443", "address of the ledger's API, such as that of a port-forward to its Service")
	flags.StringVar(&f.name, "ledger-name", "", "name that the ledger's certificate must have, such as ledger-ledger.depok.svc; by default that of the address")
	flags.StringVar(&f.ca, "ledger-ca", "", "PEM file with the CA of the ledger (required)")
	flags.StringVar(&f.token, "token-file", "", "file with a token of audience "+ledgerapi.Audience+", as kubectl create token makes it (required)")
	flags.StringVar(&f.channel, "channel", "", "name of the ComplaintChannel (required)")
	flags.StringVarP(&f.output, "output", "o", "", "json for the ledger's own documents, one a line")
	for _, name := range []string{"ledger-ca", "token-file", "channel"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err) // a flag of this name was not defined above
		}
	}
}

// connect checks the flags and makes the client.
func (f *deskFlags) connect() (*client.Client, error) {
	if f.output != "" && f.output != "json" {
		return nil, errors.New("--output must be json, or left out")
	}
	return client.New(client.Config{
		BaseURL: f.ledger, TLS: client.TLS{CAFile: f.ca, ServerName: f.name}, TokenFile: f.token, UserAgent: "tanggap-desk/" + version,
	})
}

// newCasesCommand is `tanggap cases`.
func newCasesCommand() *cobra.Command {
	var f deskFlags
	var state string
	command := &cobra.Command{
		Use:   "cases",
		Short: "List the cases of a channel as its ledger has them, without texts and names",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			api, err := f.connect()
			if err != nil {
				return err
			}
			defer api.CloseIdleConnections()
			return listCases(command.Context(), api, client.CasesQuery{Channel: f.channel, State: state}, f.output, command.OutOrStdout())
		},
	}
	f.add(command)
	command.Flags().StringVar(&state, "state", "unanswered", `which cases: open, closed, unanswered, awaitingReply or overdue; "" is all`)
	return command
}

func listCases(ctx context.Context, api *client.Client, query client.CasesQuery, output string, out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	if output == "" {
		fmt.Fprintln(table, "CASE\tCATEGORY\tDEPARTMENT\tPRIORITY\tRECEIVED\tDUE\tSTATE")
	}
	for {
		page, err := api.Cases(ctx, query)
		if err != nil {
			return err
		}
		for i := range page.Cases {
			c := &page.Cases[i]
			if output == "json" {
				if err := json.NewEncoder(out).Encode(c); err != nil {
					return fmt.Errorf("writing a case: %w", err)
				}
				continue
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", complaint.Shown(c.CaseID), c.Category, c.Department, c.Priority, shortTime(c.ReceivedAt), shortTime(c.DueAt), caseState(c))
		}
		if query.After = page.Next; query.After == "" {
			return table.Flush()
		}
	}
}

func shortTime(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04")
}

func caseState(c *ledgerapi.Case) string {
	var words []string
	for _, word := range []struct {
		name string
		is   bool
	}{{"closed", !c.Open}, {"unanswered", c.Unanswered}, {"overdue", c.Overdue}} {
		if word.is {
			words = append(words, word.name)
		}
	}
	return cmp.Or(strings.Join(words, ","), "open")
}

// replyFlags are the flags of `tanggap reply`.
type replyFlags struct {
	deskFlags
	caseID, id string
	dryRun     bool
	wait       time.Duration
}

// newReplyCommand is `tanggap reply`.
func newReplyCommand() *cobra.Command {
	var f replyFlags
	command := &cobra.Command{
		Use:   "reply",
		Short: "Answer the citizen of a case on the channel itself; the text is read from standard input",
		Long: "Answer the citizen of a case by the platform the complaint came from. The text is read from standard\n" +
			"input. With --id the same command may be repeated after a failure: the citizen hears once.\n" +
			"The exit status is 1 unless the reply was sent (with --dry-run: could be sent).",
		Example: "  echo 'Petugas DPUPR menuju lokasi.' | tanggap reply --ledger-ca ca.crt --token-file token --channel mayor-wa --case wa-3f2a",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			api, err := f.connect()
			if err != nil {
				return err
			}
			defer api.CloseIdleConnections()
			text, err := io.ReadAll(io.LimitReader(untilDone(command.Context(), command.InOrStdin()), ledgerapi.MaxReplyBytes+1))
			if err != nil {
				return fmt.Errorf("reading the text: %w", err)
			}
			request := ledgerapi.ReplyRequest{
				ID: cmp.Or(f.id, strings.ToLower(rand.Text())), Case: f.caseID, Text: strings.TrimRight(string(text), "\n"), DryRun: f.dryRun,
			}
			return sendReply(command.Context(), api, &f, request, command.OutOrStdout())
		},
	}
	f.add(command)
	flags := command.Flags()
	flags.StringVar(&f.caseID, "case", "", "identifier of the case, as tanggap cases shows it (required)")
	flags.StringVar(&f.id, "id", "", "name of the reply, so that it can be asked for again; one is made up otherwise")
	flags.BoolVar(&f.dryRun, "dry-run", false, "go the whole way up to the sending, and send nothing")
	flags.DurationVar(&f.wait, "wait", time.Minute, "how long to wait for the outcome")
	if err := command.MarkFlagRequired("case"); err != nil {
		panic(err) // the flag was defined above
	}
	return command
}

// replyLook is between two looks at how a reply fares.
const replyLook = 500 * time.Millisecond

func sendReply(ctx context.Context, api *client.Client, f *replyFlags, request ledgerapi.ReplyRequest, out io.Writer) error {
	// Whoever asks again by another name would have the citizen hear twice.
	again := "ask again with --id " + request.ID
	status, err := api.Reply(ctx, f.channel, request)
	if refusal, ok := errors.AsType[*client.Error](err); ok && !refusal.Retryable() {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w; the ledger may have taken the reply all the same: %s", err, again)
	}
	ctx, cancel := context.WithTimeout(ctx, f.wait)
	defer cancel()
	for !status.State.Final() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the reply %s is still %s%s; %s", status.ID, status.State, because(&status), again)
		case <-time.After(replyLook):
		}
		// While the ledger cannot be asked, the reply goes its way all the same.
		if now, err := api.ReplyStatus(ctx, f.channel, request.ID); err == nil {
			status = now
		} else if !client.Retryable(err) && ctx.Err() == nil {
			return fmt.Errorf("the ledger has taken the reply: %w; %s", err, again)
		}
	}
	if f.output == "json" {
		if err := json.NewEncoder(out).Encode(status); err != nil {
			return fmt.Errorf("writing the outcome: %w", err)
		}
	}
	switch status.State {
	case ledgerapi.ReplySent, ledgerapi.ReplyChecked:
		if f.output == "" {
			fmt.Fprintf(out, "%s: %s\n", status.ID, status.State)
		}
		return nil
	default:
		return fmt.Errorf("the reply %s is %s%s", status.ID, status.State, because(&status))
	}
}

func because(status *ledgerapi.ReplyStatus) string {
	if status.Message == "" {
		return ""
	}
	return ": " + status.Message
}
