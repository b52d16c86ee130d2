package ingenium

import (
	"bytes"
	"encoding/json"
	"log"
	"runtime/debug"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// service lists the component as a NATS micro service, and takes the commands of an operator to this
// start of it: pause, resume and stop.
type service struct {
	c     *Component
	stop  func()
	inner micro.Service
}

// startService returns the service, whose id is the component's life; stop ends the component.
func (c *Component) startService(stop func()) (*service, error) {
	s := &service{c: c, stop: stop}
	inner, err := micro.AddService(c.nc, micro.Config{
		Name:        c.Name(),
		Version:     Version,
		Description: c.role + " " + c.Name() + " of " + c.settings.App,
		Metadata: map[string]string{
			"app":         c.settings.App,
			"role":        c.role,
			"language":    "go",
			"sdk":         "ingenium",
			"sdk_version": Version,
			"revision":    revision(),
			"prefix":      c.settings.Prefix,
			"subjects":    strings.Join(c.patterns(), ","),
		},
		StatsHandler: func(*micro.Endpoint) any { return s.numbers() },
	})
	if err != nil {
		return nil, err
	}
	s.inner = inner
	subject := c.settings.onServer("_ingenium." + c.settings.App + ".command." + c.Name() + "." + s.id() + ".")
	for name, obey := range map[string]func() string{
		"pause":  c.pause,
		"resume": c.resume,
		"stop":   func() string { return "" },
	} {
		err := inner.AddEndpoint(name, s.handler(name, obey), micro.WithEndpointSubject(subject+name),
			micro.WithEndpointQueueGroupDisabled())
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *service) id() string { return s.inner.Info().ID }

func (s *service) end() {
	_ = s.inner.Stop() // the connection may be gone
}

// handler answers a command. Only what is exactly a request of an operator is obeyed: another
// strategy could have the server publish a stored message, or an answer, on this subject.
func (s *service) handler(name string, obey func() string) micro.HandlerFunc {
	return func(request micro.Request) {
		var command struct {
			Sender *string
		}
		decoder := json.NewDecoder(bytes.NewReader(request.Data()))
		decoder.DisallowUnknownFields()
		isRequest := strings.HasPrefix(request.Reply(), "_R_.") || strings.HasPrefix(request.Reply(), "_INBOX.")
		if !isRequest || nats.Header(request.Headers()).Get("Nats-Stream") != "" {
			log.Printf("refused a command that no operator has sent")
			return
		}
		if err := decoder.Decode(&command); err != nil || command.Sender == nil {
			_ = request.Error("400", "not a command: it needs a Sender, and nothing else", nil)
			return
		}
		if problem := obey(); problem != "" {
			_ = request.Error("400", problem, nil)
			return
		}
		log.Printf("%s by %s", name, *command.Sender)
		answer := map[string]any{
			"component": s.c.Name(), "instance": s.id(), "paused": s.c.isPaused(), "stopping": name == "stop",
		}
		if err := request.RespondJSON(answer); err != nil {
			log.Print(err)
		}
		if name == "stop" {
			s.stop()
		}
	}
}

// numbers are those of the whole component, in the form that all languages share.
func (s *service) numbers() map[string]any {
	status := s.c.statusNow("ready")
	s.c.mutex.Lock()
	defer s.c.mutex.Unlock()
	mean := int64(0)
	if status.Handled > 0 {
		mean = s.c.spent.Nanoseconds() / int64(status.Handled)
	}
	lastTime := ""
	if status.LastTime != nil {
		lastTime = status.LastTime.AsTime().Format("2006-01-02T15:04:05.000000Z")
	}
	return map[string]any{
		"state":                   status.State,
		"problem":                 status.GetProblem(),
		"paused":                  s.c.paused,
		"handled":                 status.Handled,
		"sent":                    status.Sent,
		"failed":                  s.c.failures,
		"waiting":                 status.Waiting,
		"last_error":              s.c.lastError,
		"processing_time":         s.c.spent.Nanoseconds(),
		"average_processing_time": mean,
		"last_event":              status.GetLastEvent(),
		"last_symbol":             status.GetLastSymbol(),
		"last_time":               lastTime,
		"host":                    status.Host,
		"process":                 status.Process,
	}
}

// pause has the component handle no more events; it returns why it cannot.
func (c *Component) pause() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.inReplay {
		return "a replay cannot be paused"
	}
	c.paused = true
	return ""
}

func (c *Component) resume() string {
	c.mutex.Lock()
	c.paused = false
	c.mutex.Unlock()
	c.wake()
	return ""
}

func (c *Component) isPaused() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.paused
}

// revision is the commit that the program was built from; empty if it is not known.
func revision() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	return ""
}
