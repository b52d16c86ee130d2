package ingenium

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/nats-io/nats.go"
)

const (
	contentJSON   = "application/json"
	contentBinary = "application/protobuf"
)

// Settings say where a component connects to and who it is there.
type Settings struct {
	// Server is NATS_SERVER: one address, or several of one cluster with commas between them.
	Server string
	// App is INGENIUM_APP, the name of the app that the component belongs to.
	App string
	// Component is INGENIUM_COMPONENT, the name of the component within the app.
	Component string
	// Prefix is INGENIUM_PREFIX, what all subjects begin with on the server; empty for none.
	Prefix string
	// ContentType is INGENIUM_CONTENT_TYPE, the form of what is published: application/json, or
	// application/protobuf. What arrives is read in either form.
	ContentType string
	// Credentials is INGENIUM_NATS_CREDENTIALS: a .creds file, or a file with the seed of an nkey or
	// with a line user:password. {role} in a path stands for the component's role.
	Credentials string
	// CA, Certificate and Key are INGENIUM_NATS_CA, INGENIUM_NATS_CERT and INGENIUM_NATS_KEY.
	CA, Certificate, Key string
	// AllowPlaintext is INGENIUM_ALLOW_PLAINTEXT=1: a server on another machine may be spoken to
	// without TLS.
	AllowPlaintext bool
}

// SettingsFromEnvironment reads the settings that `ingenium run` gives to the programs that it
// starts. Component is the name where the environment has none.
func SettingsFromEnvironment(component string) Settings {
	return Settings{
		Server:         environment("NATS_SERVER", nats.DefaultURL),
		App:            environment("INGENIUM_APP", "app"),
		Component:      environment("INGENIUM_COMPONENT", component),
		Prefix:         environment("INGENIUM_PREFIX", ""),
		ContentType:    environment("INGENIUM_CONTENT_TYPE", contentJSON),
		Credentials:    environment("INGENIUM_NATS_CREDENTIALS", ""),
		CA:             environment("INGENIUM_NATS_CA", ""),
		Certificate:    environment("INGENIUM_NATS_CERT", ""),
		Key:            environment("INGENIUM_NATS_KEY", ""),
		AllowPlaintext: environment("INGENIUM_ALLOW_PLAINTEXT", "") == "1",
	}
}

func environment(name, otherwise string) string {
	if value := strings.TrimSpace(os.Getenv(name)); value != "" {
		return value
	}
	return otherwise
}

// onServer puts the prefix before a subject that keeps apps on one server apart.
func (s Settings) onServer(subject string) string {
	if s.Prefix == "" {
		return subject
	}
	return s.Prefix + "." + subject
}

func (s Settings) fromServer(subject string) string {
	if s.Prefix == "" {
		return subject
	}
	return strings.TrimPrefix(subject, s.Prefix+".")
}

func (s Settings) check() error {
	if s.ContentType != contentJSON && s.ContentType != contentBinary {
		return fmt.Errorf("content type %q is unknown: set INGENIUM_CONTENT_TYPE to %s or %s",
			s.ContentType, contentJSON, contentBinary)
	}
	if s.CA != "" || s.AllowPlaintext {
		return nil
	}
	for _, server := range strings.Split(s.Server, ",") {
		server = strings.TrimSpace(server)
		if !strings.Contains(server, "://") {
			server = "nats://" + server
		}
		address, err := url.Parse(server)
		if err != nil { // the error repeats the address, which may hold a password
			return fmt.Errorf("cannot read the address in NATS_SERVER: write it as nats://host:port")
		}
		host := address.Hostname()
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			continue
		}
		if address.Scheme != "tls" {
			return fmt.Errorf("%s is on another machine, and nothing would be encrypted: write tls://%s, "+
				"with INGENIUM_NATS_CA for a certificate of your own, or set INGENIUM_ALLOW_PLAINTEXT=1 "+
				"where the network protects itself", address.Host, address.Host)
		}
	}
	return nil
}

// options are how a role connects to the server.
func (s Settings) options(role string) ([]nats.Option, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	ofRole := func(path string) string { return strings.ReplaceAll(path, "{role}", role) }
	options := []nats.Option{
		nats.Name(s.Component),
		nats.CustomInboxPrefix("_INBOX." + role),
		nats.MaxReconnects(-1),
	}
	if s.CA != "" {
		options = append(options, nats.RootCAs(s.CA))
	}
	if s.Certificate != "" {
		key := s.Key
		if key == "" {
			key = s.Certificate
		}
		options = append(options, nats.ClientCert(ofRole(s.Certificate), ofRole(key)))
	}
	if s.Credentials != "" {
		option, err := credentials(ofRole(s.Credentials))
		if err != nil {
			return nil, err
		}
		options = append(options, option)
	}
	return options, nil
}

var (
	seed  = regexp.MustCompile(`^SU[A-Z2-7]{56}$`)
	login = regexp.MustCompile(`^([^:\s]+):(\S+)$`)
)

// credentials read a file; an error repeats nothing of it.
func credentials(path string) (nats.Option, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the credentials: %w", err)
	}
	text := strings.TrimSpace(string(content))
	switch {
	case strings.Contains(text, "BEGIN NATS USER JWT"):
		return nats.UserCredentials(path), nil
	case seed.MatchString(text):
		return nats.NkeyOptionFromSeed(path)
	}
	if found := login.FindStringSubmatch(text); found != nil {
		return nats.UserInfo(found[1], found[2]), nil
	}
	return nil, fmt.Errorf("%s holds no credentials: put a .creds file, a user's seed or a line "+
		"user:password into it", path)
}
