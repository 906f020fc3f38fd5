/** Made-up values for the rule of what looks secret: the config refuses them, and all output masks them. */

/** Names of variables whose values are secret. */
export const secretNames = [
  "API_KEY",
  "DB_PASSWD",
  "DB_PASSWORD",
  "CARRIER_PASS",
  "SMTPPASS",
  "PGPASSWORD",
  "SIP_AUTH",
  "CLIENT_SECRET",
  "AUTH_TOKEN",
  "AUTH_KEY",
  "MASTER_KEY",
  "SESSION_COOKIE",
  "AWS_SECRET_ACCESS_KEY",
  "LICENSE_KEY",
  "SIGNING_KEYS",
  "TLS_PRIVATE_KEY",
  "VAULT_CREDENTIALS",
] as const;

/** Names of variables whose values are not. */
export const plainNames = [
  "TZ",
  "LANG",
  "KEYBOARD",
  "PASSENGERS",
  "COMPASS",
  "AUTHOR",
  "KEEPALIVE",
  "MONKEY_MODE",
] as const;

/** Texts, each with the secret in it. */
export const secretTexts: readonly (readonly [what: string, text: string, ...secrets: string[]])[] = [
  ["the password of a URL", "amqp://kazoo:Tr0ub4dor@broker:5672", "Tr0ub4dor"],
  ["one with a slash", "amqp://kazoo:Tr0ub/4dor@broker:5672", "Tr0ub", "4dor"],
  ["one with an @", "http://kazoo:Tr0ub@4dor@couch:5984/_all_dbs", "Tr0ub", "4dor"],
  ["one with a colon", "http://kazoo:Tr0ub:4dor@couch:5984", "Tr0ub", "4dor"],
  ["one that is encoded", "http://kazoo:Tr0ub%404dor@couch:5984", "Tr0ub%404dor"],
  ["a URL without a user", "redis://:Tr0ub4dor@cache:6379/0", "Tr0ub4dor"],
  ["two URLs", "amqp://a:Tr0ub4dor@b1,amqp://a:Corr3ctHorse@b2", "Tr0ub4dor", "Corr3ctHorse"],
  ["a token as the user of a URL", "https://Zq3vT8mK1xW5cB7nR2pL@git.example.com/kazoo.git", "Zq3vT8mK1xW5cB7nR2pL"],
  ["a parameter of a URL", "https://sms.example.com/send?user=kazoo&password=Tr0ub4dor&to=1", "Tr0ub4dor"],
  ["another", "https://sms.example.com/send?api_key=Zq3vT8mK1x#top", "Zq3vT8mK1x"],
  ["a signature", "https://files.example.com/a.wav?expires=1&sig=Zq3vT8mK1x", "Zq3vT8mK1x"],
  ["JSON", '{"user": "kazoo", "password": "Tr0ub\\"4dor"}', "4dor"],
  ["JSON without blanks", '{"apiToken":"Zq3vT8mK1x","n":1}', "Zq3vT8mK1x"],
  ["YAML", "user: kazoo\npassword: Tr0ub4dor\nport: 1", "Tr0ub4dor"],
  ["an option with its value", "sipp --user kazoo --password Tr0ub4dor --port 5060", "Tr0ub4dor"],
  ["an option with an equals sign", "sipp --auth-token=Zq3vT8mK1x", "Zq3vT8mK1x"],
  ["an option in quotes", "mysql --password 'Tr0ub 4dor'", "Tr0ub", "4dor"],
  ["Erlang's option", "-name kazoo_apps@kazoo.local -setcookie Zq3vT8mK1x -kernel x 1", "Zq3vT8mK1x"],
  ["curl's option", "curl -u kazoo:Tr0ub4dor http://couch:5984", "Tr0ub4dor"],
  ["a connection string", "Server=db;Port=5432;User Id=kazoo;Password=Tr0ub4dor;", "Tr0ub4dor"],
  ["one in quotes", "host=db user=kazoo password='Tr0ub 4dor' sslmode=require", "Tr0ub", "4dor"],
  ["one of a storage", "AccountName=kazoo;AccountKey=Zq3vT8mK1xW5==;", "Zq3vT8mK1xW5"],
  ["settings in a sentence", "started with DB_PASSWD=Tr0ub4dor and LANG=C", "Tr0ub4dor"],
  ["a header", "Authorization: Bearer Zq3vT8mK1xW5cB7n", "Zq3vT8mK1xW5cB7n"],
  [
    "a webhook",
    "https://hooks.chat.example.com/services/T01ABCDEF/B01ABCDEF/Zq3vT8mK1xW5cB7nR2pL",
    "Zq3vT8mK1xW5cB7nR2pL",
  ],
  [
    "another",
    "https://chat.example.com/api/webhooks/123456789012345678/Zq3vT8mK1x-W5cB7nR2pL_x",
    "Zq3vT8mK1x-W5cB7nR2pL_x",
  ],
  ["a bot", "https://api.chat.example.com/bot123456:Zq3vT8mK1xW5cB7nR2pL/sendMessage", "Zq3vT8mK1xW5cB7nR2pL"],
  ["a private key", "-----BEGIN RSA PRIVATE KEY-----\nZq3vT8mK1xW5\n-----END RSA PRIVATE KEY-----", "Zq3vT8mK1xW5"],
  ["a JSON Web Token", "seen eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.Zq3vT8mK1xW5 there", "Zq3vT8mK1xW5"],
];

/** Texts without a secret, which do not change. */
export const plainTexts = [
  "America/New_York",
  "http://couch.example.com:5984/_all_dbs",
  "https://registry.example.com:5000/telephony/kazoo@sha256:0000000000000000000000000000000000000000000000000000000000000000",
  "registry.example.com/kazoo:4.3",
  "kazoo_apps@kazoo-0.kazoo-nodes.us-east-nyc.svc.cluster.local",
  "the broker refuses user kazoo or the password in Secret rabbitmq: HTTP status 401",
  "+K true +A 25 -kernel inet_dist_listen_min 11500 inet_dist_listen_max 11999",
  "-setcookie $(COOKIE)",
  "LANG=C.UTF-8 KEYBOARD=us",
  "expected Pulumi secrets, for example: pulumi config set --secret --path kazoo:credentials.main.cookie",
  '{"secretName":"kazoo-tls","replicas":2}',
] as const;
