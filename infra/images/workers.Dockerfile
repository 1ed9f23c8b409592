# The worker pool: what was tested, without development tools and without the jobs' code, which comes
# with each job.
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements-build.lock pyproject.toml setup.py README.md LICENSE ./
COPY tocsin tocsin
COPY transforms transforms
RUN pip install --no-cache-dir --require-hashes -r requirements-build.lock
RUN pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim
WORKDIR /opt/tocsin
COPY requirements-workers.lock ./
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-workers.lock
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --no-deps /wheels/*.whl
USER 1000
ENTRYPOINT ["tocsin", "workers"]
