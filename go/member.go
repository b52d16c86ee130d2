package ingenium

import (
	"context"
	"time"

	v1 "github.com/markwinter/ingenium/go/gen/ingenium/v1"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
)

// member takes part in a replay: it counts what was handled, and has a portfolio wait for its
// grants. Strategies and executors handle what arrives.
type member struct {
	c       *Component
	granted *v1.LockstepGrant
	waiting map[kind][]*nats.Msg
}

func newMember(c *Component) *member {
	return &member{c: c, waiting: map[kind][]*nats.Msg{}}
}

func (m *member) take(ctx context.Context, message *nats.Msg) error {
	kind := kindOf(message.Subject)
	// On live data there are no grants.
	if m.granted != nil && kind != none && m.c.role == Portfolio {
		m.waiting[kind] = append(m.waiting[kind], message)
		return m.advance(ctx)
	}
	return m.handle(ctx, message, kind)
}

func (m *member) grant(ctx context.Context, grant *v1.LockstepGrant) error {
	if m.granted == nil {
		m.granted = &v1.LockstepGrant{}
	}
	if grant.Component != m.c.Name() || m.c.role != Portfolio {
		return nil
	}
	m.granted = grant
	return m.advance(ctx)
}

// advance handles data, then executions, then signals, up to the counts that are granted.
func (m *member) advance(ctx context.Context) error {
	report := m.c.report
	for _, step := range []struct {
		kind    kind
		handled *uint32
		granted uint32
	}{
		{dataKind, &report.DataHandled, m.granted.Data},
		{executionKind, &report.ExecutionsHandled, m.granted.Executions},
		{signalKind, &report.SignalsHandled, m.granted.Signals},
	} {
		for *step.handled < step.granted {
			queue := m.waiting[step.kind]
			if len(queue) == 0 {
				return nil
			}
			m.waiting[step.kind] = queue[1:]
			if err := m.handle(ctx, queue[0], step.kind); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *member) handle(ctx context.Context, message *nats.Msg, kind kind) error {
	start := time.Now()
	err := m.c.dispatch(ctx, message)
	m.c.trace(message, kind, start, err)
	m.c.mutex.Lock()
	defer m.c.mutex.Unlock()
	m.c.cause.clear()
	// Readable or not, and for what failed the report says why.
	switch report := m.c.report; kind {
	case dataKind:
		report.DataHandled++
	case signalKind:
		report.SignalsHandled++
	case orderKind:
		report.OrdersHandled++
	case executionKind:
		report.ExecutionsHandled++
	}
	return err
}

// countSent counts an event that was sent.
func (c *Component) countSent(kind kind) {
	switch kind {
	case dataKind:
		c.report.DataSent++
	case signalKind:
		c.report.SignalsSent++
	case orderKind:
		c.report.OrdersSent++
	case executionKind:
		c.report.ExecutionsSent++
	}
}

func (c *Component) sendReport(failure string) error {
	c.mutex.Lock()
	report := proto.CloneOf(c.report)
	report.Error = c.problem
	c.mutex.Unlock()
	if failure != "" {
		report.Error = failure
	}
	// Reports are JSON in any case.
	return c.send("_ingenium."+c.settings.App+".report", report, "", contentJSON)
}
