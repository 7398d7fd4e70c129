"""A program that knows nothing of OpenTelemetry."""

from openai import OpenAI

client = OpenAI(api_key="test")
for question in ("two and two?", "one and three?"):
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
    )
    print(answer.choices[0].message.content)  # noqa: T201
