import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { checkServerIdentity, type ConnectionOptions as TlsConnectionOptions } from "node:tls";

import {
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
} from "@nats-io/transport-node";

export const JSON_TYPE = "application/json";
export const BINARY_TYPE = "application/protobuf";

/** Where a component connects to and who it is there. */
export interface Settings {
  /** `NATS_SERVER`: one address, or several of one cluster with commas between them. */
  server: string;
  /** `INGENIUM_APP`, the name of the app that the component belongs to. */
  app: string;
  /** `INGENIUM_COMPONENT`, the name of the component within the app. */
  component: string;
  /** `INGENIUM_PREFIX`, what all subjects begin with on the server; empty for none. */
  prefix: string;
  /**
   * `INGENIUM_CONTENT_TYPE`, the form of what is published: application/json, or
   * application/protobuf. What arrives is read in either form.
   */
  contentType: string;
  /**
   * `INGENIUM_NATS_CREDENTIALS`: a .creds file, or a file with the seed of an nkey or with a line
   * user:password. `{role}` in a path stands for the component's role.
   */
  credentials: string;
  /** `INGENIUM_NATS_CA`, the authorities to trust; the system's when empty. */
  ca: string;
  /** `INGENIUM_NATS_CERT`, a certificate to show to the server. */
  certificate: string;
  /** `INGENIUM_NATS_KEY`, its key; in the certificate's file when empty. */
  key: string;
  /** `INGENIUM_ALLOW_PLAINTEXT=1`: a server on another machine may be spoken to without TLS. */
  allowPlaintext: boolean;
}

/**
 * Reads the settings that `ingenium run` gives to the programs that it starts.
 *
 * @param component the name where the environment has none
 */
export function settingsFrom(
  component: string,
  environment: Record<string, string | undefined> = process.env,
): Settings {
  const find = (name: string, otherwise = ""): string => environment[name]?.trim() || otherwise;
  return {
    server: find("NATS_SERVER", "nats://127.0.0.1:4222"),
    app: find("INGENIUM_APP", "app"),
    component: find("INGENIUM_COMPONENT", component),
    prefix: find("INGENIUM_PREFIX"),
    contentType: find("INGENIUM_CONTENT_TYPE", JSON_TYPE),
    credentials: find("INGENIUM_NATS_CREDENTIALS"),
    ca: find("INGENIUM_NATS_CA"),
    certificate: find("INGENIUM_NATS_CERT"),
    key: find("INGENIUM_NATS_KEY"),
    allowPlaintext: find("INGENIUM_ALLOW_PLAINTEXT") === "1",
  };
}

/** Puts the prefix before a subject that keeps apps on one server apart. */
export function onServer(settings: Settings, subject: string): string {
  return settings.prefix ? `${settings.prefix}.${subject}` : subject;
}

export function fromServer(settings: Settings, subject: string): string {
  const start = `${settings.prefix}.`;
  return settings.prefix && subject.startsWith(start) ? subject.slice(start.length) : subject;
}

function addresses(settings: Settings): URL[] {
  return settings.server.split(",").map((text) => {
    const address = text.trim();
    const url = address.includes("://") ? address : `nats://${address}`;
    // The reason would repeat what cannot be read, which may be a password.
    if (!URL.canParse(url)) {
      throw new Error("cannot read the address in NATS_SERVER: write it as nats://host:port");
    }
    return new URL(url);
  });
}

/** Throws an error for settings that cannot be used. */
export function checkSettings(settings: Settings): void {
  if (![JSON_TYPE, BINARY_TYPE].includes(settings.contentType)) {
    throw new Error(
      `content type '${settings.contentType}' is unknown: set INGENIUM_CONTENT_TYPE to ` +
        `${JSON_TYPE} or ${BINARY_TYPE}`,
    );
  }
  if (settings.ca || settings.allowPlaintext) {
    return;
  }
  for (const { hostname, protocol } of addresses(settings)) {
    const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname);
    if (!isHere && protocol !== "tls:") {
      throw new Error(
        `${hostname} is on another machine, and nothing would be encrypted: write ` +
          `tls://${hostname}, with INGENIUM_NATS_CA for a certificate of your own, or set ` +
          "INGENIUM_ALLOW_PLAINTEXT=1 where the network protects itself",
      );
    }
  }
}

/** How a role connects to the server. */
export function optionsFor(settings: Settings, role: string): ConnectionOptions {
  checkSettings(settings);
  const ofRole = (path: string): string => path.replaceAll("{role}", role);
  const urls = addresses(settings);
  const options: ConnectionOptions = {
    servers: urls.map((url) => url.host),
    name: settings.component,
    inboxPrefix: `_INBOX.${role}`,
    maxReconnectAttempts: -1,
    ...login(urls),
    ...(settings.credentials ? credentials(ofRole(settings.credentials)) : {}),
  };
  const isTls = urls.some((url) => url.protocol === "tls:");
  if (isTls || settings.ca || settings.certificate) {
    options.tls = {
      ...(settings.ca && { caFile: settings.ca }),
      ...(settings.certificate && {
        certFile: ofRole(settings.certificate),
        keyFile: ofRole(settings.key || settings.certificate),
      }),
      ...identityOf(urls),
    };
  }
  return options;
}

/**
 * How a certificate is held against the address. This client tells Node no host where the address is
 * an IP, and Node then takes "localhost", which the certificate of such a server does not name.
 */
function identityOf(urls: URL[]): Pick<TlsConnectionOptions, "checkServerIdentity"> {
  const hosts = urls.map((url) => url.hostname.replace(/^\[|\]$/g, ""));
  const numbers = hosts.filter((host) => isIP(host) !== 0);
  return {
    checkServerIdentity: (host, certificate) => {
      const isNumber = numbers.length > 0 && host === "localhost" && !hosts.includes(host);
      const errors = (isNumber ? numbers : [host]).map((each) =>
        checkServerIdentity(each, certificate),
      );
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
}

/** Takes user and password, or a token, out of an address: this client wants them apart. */
function login(urls: URL[]): ConnectionOptions {
  const found = urls.find((url) => url.username !== "");
  if (!found) {
    return {};
  }
  const user = decodeURIComponent(found.username);
  return found.password === ""
    ? { token: user }
    : { user, pass: decodeURIComponent(found.password) };
}

/** Takes what a file of credentials holds; an error repeats nothing of it. */
function credentials(path: string): ConnectionOptions {
  const bytes = readFileSync(path);
  const text = bytes.toString().trim();
  if (text.includes("BEGIN NATS USER JWT")) {
    return { authenticator: credsAuthenticator(bytes) };
  }
  if (/^SU[A-Z2-7]{56}$/.test(text)) {
    return { authenticator: nkeyAuthenticator(new TextEncoder().encode(text)) };
  }
  const found = /^([^:\s]+):(\S+)$/.exec(text);
  if (!found) {
    throw new Error(
      `${path} holds no credentials: put a .creds file, a user's seed or a line user:password ` +
        "into it",
    );
  }
  return { user: found[1], pass: found[2] };
}
