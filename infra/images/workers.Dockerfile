# The worker pool: what was tested, without the jobs' code, which comes with each job.
FROM python:3.11-slim
WORKDIR /opt/tocsin
COPY requirements.lock pyproject.toml setup.py README.md LICENSE ./
COPY tocsin tocsin
COPY transforms transforms
RUN pip install --no-cache-dir -r requirements.lock && pip install --no-cache-dir --no-deps .
USER 1000
ENTRYPOINT ["tocsin", "workers"]
