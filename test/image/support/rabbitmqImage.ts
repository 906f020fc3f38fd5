import { baseImage } from "./baseImage";
import type { Engine } from "./engine";
import { ensureImage } from "./images";

const tag = "kazoo-test/rabbitmq:3.10";

/**
 * A real RabbitMQ, Debian's, that starts as the official image does: uid and gid 999, data in /var/lib/rabbitmq, settings
 * in /etc/rabbitmq (rabbitmq.conf, conf.d, enabled_plugins), RABBITMQ_DEFAULT_USER and _PASS, RABBITMQ_NODENAME,
 * RABBITMQ_USE_LONGNAME, logs on standard output. `guest` may come from anywhere unless a configuration says otherwise.
 * @returns its tag
 */
export async function rabbitmqImage(engine: Engine): Promise<string> {
  return await ensureImage(engine, {
    tag,
    dockerfile: `FROM ${await baseImage(engine)}
RUN groupadd --gid 999 rabbitmq && useradd --uid 999 --gid 999 --home-dir /var/lib/rabbitmq rabbitmq \\
 && apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rabbitmq-server dumb-init \\
 && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/mnesia /var/lib/rabbitmq/.erlang.cookie /etc/rabbitmq/rabbitmq-env.conf \\
 && mkdir -p /etc/rabbitmq/conf.d && printf 'loopback_users.guest = false\\n' > /etc/rabbitmq/conf.d/10-defaults.conf \\
 && printf '[rabbitmq_management].\\n' > /etc/rabbitmq/enabled_plugins \\
 && chown -R rabbitmq:rabbitmq /var/lib/rabbitmq /etc/rabbitmq /var/log/rabbitmq
COPY start /usr/local/bin/rabbitmq-start
ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
USER 999:999
VOLUME ["/var/lib/rabbitmq"]
EXPOSE 4369 5672 15672 15692 25672
HEALTHCHECK --interval=2s --timeout=10s --start-period=60s CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5672"]
CMD ["dumb-init", "rabbitmq-start"]
`,
    files: { start },
  });
}

/** What the official image's entrypoint does for the variables that the server itself does not read. */
const start = `#!/bin/bash
set -euo pipefail
if [[ -n \${RABBITMQ_DEFAULT_USER-} && -n \${RABBITMQ_DEFAULT_PASS-} ]]; then
  escape() { sed 's/[\\\\"]/\\\\&/g' <<<"$1"; }
  settings=/var/lib/rabbitmq/default-user.config
  printf '[{rabbit, [{default_user, <<"%s">>}, {default_pass, <<"%s">>}]}].\\n' \\
    "$(escape "$RABBITMQ_DEFAULT_USER")" "$(escape "$RABBITMQ_DEFAULT_PASS")" > "$settings"
  chmod 600 "$settings"
  export RABBITMQ_ADVANCED_CONFIG_FILE=$settings
fi
exec rabbitmq-server
`;
