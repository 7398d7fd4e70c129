-- Models whose calls have all failed lately, by what is their provider's fault.
-- tokens:  calls (name of the view), within (seconds), least (calls)
-- returns: Model
SELECT toString(Model) AS Model
FROM @calls@
WHERE StartTime >= now64(9) - toIntervalSecond(@within@) AND Bucket >= now() - toIntervalDay(2) AND Model != ''
GROUP BY Model
HAVING count() >= @least@
    AND countIf(match(lower(toString(Error)), '(^|[^0-9])(408|409|429|5[0-9][0-9])([^0-9]|$)|rate.?limit|overload|unavailable|timed? ?out|connection|api_error|server_error')) = count()
