package ingenium

import (
	"context"
	"fmt"
	"log"
	"os/signal"
	"strings"
	"syscall"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"github.com/nats-io/nats.go"
)

// RunStrategy runs a strategy until a replay ends, or until the process gets SIGTERM or SIGINT. The
// handler gets each bar of the symbols, all symbols when none is named; what it returns as an error
// ends the strategy. The strategy's name is INGENIUM_COMPONENT, or "strategy".
func RunStrategy(symbols []string, handle func(*Component, *Bar) error) error {
	c, err := Connect(Strategy, "strategy")
	if err != nil {
		return err
	}
	err = c.OnBar(symbols, func(_ context.Context, bar *Bar) error { return handle(c, bar) })
	if err != nil {
		return err
	}
	return c.RunUntilSignal()
}

// RunUntilSignal does as Run, until the process gets SIGTERM or SIGINT.
func (c *Component) RunUntilSignal() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return c.Run(ctx)
}

// Run subscribes and handles what arrives until a replay ends, a handler returns an error, or ctx
// is done. Then what the server has sent already is handled, and nothing after it; what was
// published is with the server when Run returns.
func (c *Component) Run(ctx context.Context) error {
	c.member = newMember(c)
	grants := "_ingenium." + c.settings.App + ".grant"
	// One channel for all subjects, so that one event is handled at a time and in order.
	var subscriptions []*nats.Subscription
	for _, subject := range append(c.patterns(), grants) {
		subscription, err := c.nc.ChanSubscribe(c.settings.onServer(subject), c.arrived)
		if err != nil {
			return fmt.Errorf("cannot subscribe to %s: %w", subject, err)
		}
		subscriptions = append(subscriptions, subscription)
	}
	if err := c.nc.FlushTimeout(serverLimit); err != nil {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	if err := c.sendReport(""); err != nil { // ready
		return err
	}
	stopStatus, err := c.startStatus()
	if err != nil {
		return c.end(err)
	}
	err = c.loop(ctx, grants)
	if err == nil && ctx.Err() != nil {
		err = c.drain(ctx, subscriptions, grants)
	}
	stopStatus()
	return c.end(err)
}

func (c *Component) loop(ctx context.Context, grants string) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.woken:
		case message := <-c.arrived:
			if end, err := c.take(ctx, message, grants); end || err != nil {
				return err
			}
		}
		if c.member.granted != nil && len(c.arrived) == 0 {
			if err := c.sendReport(""); err != nil {
				return err
			}
		}
	}
}

// take handles a message; it returns whether the replay is over.
func (c *Component) take(ctx context.Context, message *nats.Msg, grants string) (bool, error) {
	message.Subject = c.settings.fromServer(message.Subject)
	if message.Subject != grants {
		return false, c.member.take(ctx, message)
	}
	grant := &v1.LockstepGrant{}
	if err := Unmarshal(message.Data, grant); err != nil {
		log.Printf("passed over a grant that cannot be read: %v", err)
		return false, nil
	}
	return grant.End, c.member.grant(ctx, grant)
}

// dispatch lets the handlers of a message's subject handle it.
func (c *Component) dispatch(ctx context.Context, message *nats.Msg) error {
	for _, each := range c.exact[message.Subject] {
		if err := each.handle(ctx, message); err != nil {
			return c.failed(message, err)
		}
	}
	for _, each := range c.wild {
		if !covers(each.pattern, message.Subject) {
			continue
		}
		if err := each.handle(ctx, message); err != nil {
			return c.failed(message, err)
		}
	}
	return nil
}

func (c *Component) failed(message *nats.Msg, err error) error {
	return fmt.Errorf("%s %q failed on %s: %w", c.role, c.Name(), message.Subject, err)
}

// drain handles what the server has sent already, and nothing after it.
func (c *Component) drain(ctx context.Context, subscriptions []*nats.Subscription, grants string) error {
	ctx = context.WithoutCancel(ctx)
	for _, subscription := range subscriptions {
		if err := subscription.Drain(); err != nil {
			log.Printf("cannot drain %s: %v", subscription.Subject, err)
		}
	}
	// The server answers after all that it sent before, so that is in the channel then.
	if err := c.nc.FlushTimeout(serverLimit); err != nil {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	for len(c.arrived) > 0 {
		if end, err := c.take(ctx, <-c.arrived, grants); end || err != nil {
			return err
		}
	}
	if c.member.granted == nil {
		return nil
	}
	return c.sendReport("")
}

// end closes the connection; a replay is told why the component failed.
func (c *Component) end(failure error) error {
	if failure != nil {
		if err := c.sendReport(failure.Error()); err != nil {
			log.Print(err)
		}
	}
	if err := c.Close(); failure == nil {
		return err
	}
	return failure
}

// patterns are the subjects to subscribe to, without those that others cover.
func (c *Component) patterns() []string {
	var all, kept []string
	hasData := false
	for pattern := range c.exact {
		all = append(all, pattern)
		hasData = hasData || strings.HasPrefix(pattern, data)
	}
	var wild []string
	for _, each := range c.wild {
		wild = append(wild, each.pattern)
		hasData = hasData || strings.HasPrefix(each.pattern, data)
	}
	// A replay counts what these roles have handled, whether they have a handler for it or not.
	switch c.role {
	case Executor:
		wild = append(wild, portfolio)
	case Portfolio:
		all = append(all, "ingenium.strategy.signal", "ingenium.executor.execution")
	}
	if !hasData && (c.role == Executor || c.role == Portfolio) {
		wild = append(wild, data+">")
	}
	all = append(all, wild...)
	for _, pattern := range all {
		needed := !contains(kept, pattern)
		for _, other := range wild {
			needed = needed && (other == pattern || !covers(other, pattern))
		}
		if needed {
			kept = append(kept, pattern)
		}
	}
	return kept
}

// covers returns whether a pattern has a subject, or all subjects of another pattern.
func covers(pattern, subject string) bool {
	patterns, parts := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, each := range patterns {
		if each == ">" {
			return len(parts) > i
		}
		if i >= len(parts) || each != "*" && each != parts[i] || parts[i] == ">" {
			return false
		}
	}
	return len(patterns) == len(parts)
}
