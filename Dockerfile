# syntax=docker/dockerfile:1
# The web app in a small image:   docker build -t mien .   and   docker run --rm -p 8000:8000 mien
# It runs without root, writes only to /tmp, and has the health check /api/v1/health.

FROM python:3.13-slim-bookworm AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY recipes recipes
RUN /venv/bin/pip install ".[web]" \
    && /venv/bin/pip uninstall --yes pip \
    && find /venv -name __pycache__ -prune -exec rm -rf {} +
# The better face detector, verified by its SHA-256. An image without it uses Haar.
ARG YUNET=1
RUN mkdir -p /models && if [ "$YUNET" = 1 ]; then MIEN_HOME=/models /venv/bin/mien models pull yunet; fi

FROM python:3.13-slim-bookworm
LABEL org.opencontainers.image.title="mien" org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin mien
COPY --from=build /venv /venv
COPY --from=build /models /models
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    MIEN_HOME=/models MIEN_HOST=0.0.0.0 MIEN_PORT=8000 MIEN_LOG=json
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"MIEN_PORT\"]}/api/v1/health', timeout=4)"]
ENTRYPOINT ["mien", "serve"]
