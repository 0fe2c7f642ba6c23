# One image for every role: the consumer, or with another command the market-session producer.
# Debian, not Alpine: the wheels are manylinux. The servers are compose's; the embedded ones are left out.
FROM python:3.13-slim-bookworm AS wheels
WORKDIR /src
COPY pyproject.toml README.md ./
COPY market market
COPY contract contract
COPY process process
COPY producers producers
COPY simulated_market simulated_market
COPY consumer consumer
# Everything has a wheel, so that no compiler is needed here or later. The versions are pyproject.toml's affair.
# The extras to install: flat-files,otel for traces (docs/metrics.md).
ARG EXTRAS=flat-files
# hadolint ignore=DL3013
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
      --prefix=/install --only-binary=:all: ".[${EXTRAS}]"

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="data-maintenance" \
      org.opencontainers.image.description="Data maintenance for a US stock-market stack, run by market events"
RUN useradd --system --user-group --uid 10001 --create-home --shell /usr/sbin/nologin maintenance
COPY --from=wheels /install /usr/local
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HTTP_PORT=8008
USER 10001
WORKDIR /home/maintenance
EXPOSE 8008
STOPSIGNAL SIGTERM
# Python, because the image has no curl. In the producer's container this is switched off by compose.
# Ready, not only alive: servers, tables, group, its own worker and catch-up.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "process.healthcheck"]
CMD ["python", "-m", "consumer"]
