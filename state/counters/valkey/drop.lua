-- drop: KEYS: the table's hash and its ends. ARGV: channel, then keys. A change is "d" and the key.
for i = 2, #ARGV do
  redis.call('ZREM', KEYS[2], ARGV[i])
  if redis.call('HDEL', KEYS[1], ARGV[i]) > 0 then
    redis.call('PUBLISH', ARGV[1], 'd' .. ARGV[i])
  end
end
return 1
