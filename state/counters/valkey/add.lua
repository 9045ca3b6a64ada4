-- add reckons as memory's window does, in the same floating point. KEYS: windows. ARGV: now, then n and span of each, ms.
local now, most, sums = tonumber(ARGV[1]), 4294967295, {}
for i = 1, #KEYS do
  local n, span = tonumber(ARGV[2*i]), tonumber(ARGV[2*i+1])
  local began, length, running, before
  local kept = redis.call('GET', KEYS[i])
  if kept then
    began, length, running, before = string.match(kept, '^(-?%d+) (%d+) (%d+) (%d+)$')
    began, length, running, before = tonumber(began), tonumber(length), tonumber(running), tonumber(before)
  end
  if began then
    local gone = now - began
    if gone >= 2*length or gone < -math.max(length, 1000) then
      began = nil
    elseif gone >= length then
      began, length, running, before = began + length, n > 0 and span or length, 0, running
    end
  end
  if not began then
    began, length, running, before = now, span, 0, 0
  end
  running = math.min(running + n, most)
  local left = math.min(math.max(length - (now - began), 0), length)
  sums[i] = running + math.ceil(before * left / length)
  if n > 0 then
    local rest = math.max(began + 2*length - now, 0) + 1000
    redis.call('SET', KEYS[i], string.format('%.0f %.0f %.0f %.0f', began, length, running, before), 'PX', string.format('%.0f', rest))
  end
end
return sums
